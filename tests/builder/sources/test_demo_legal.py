"""Where a part of the demo can be put: all places at once are those found one by one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from builder.sources.demo import legal
from builder.sources.demo.brick_parts import KINDS, Part

KIND = st.sampled_from(sorted(KINDS)).map(KINDS.__getitem__)
PLACE = st.integers(-3, 3)
PART = st.builds(Part, KIND, st.just("red"), PLACE, PLACE, st.sampled_from([0, 1, 3]), PLACE)


@given(built=st.lists(PART, min_size=1, max_size=4), part=PART, table=st.booleans())
def test_all_places_at_once_are_those_found_one_by_one(built, part, table):
    ground = legal.ground_of(built)
    (width, depth), (x0, y0) = ground.top.shape, ground.origin_xy
    spots = (replace(part, x=x0 + x, y=y0 + y) for x in range(width) for y in range(depth))
    one_by_one = [down for spot in spots if (down := legal.land(spot, ground, table)) is not None]
    assert list(legal.landings(part, ground, table)) == one_by_one


def test_a_long_plate_finds_its_studs_on_a_plate_and_the_table_only_where_it_may():
    plate = Part(KINDS["plate 2x4"], "red", 0, 0, 0)
    ground = legal.ground_of([plate])
    on_it = list(legal.landings(plate, ground))
    assert {part.z for part in on_it} == {1}
    assert replace(plate, z=1) in on_it
    on_table = set(legal.landings(plate, ground, table=True)) - set(on_it)
    assert {part.z for part in on_table} == {0}
