"""Words that tell languages apart: everyday ones and those of building manuals.

None of the other languages' words is common in English texts, so a few of them decide. Several
languages may share a word; it counts for each.
"""

_WORDS = {
    "en": """
        the and with that this these those then there from into onto your you it its will now next
        both each other another again before after below above behind beside between toward towards
        they them their we our us let make makes made have has be been are not but only also which
        when where while until using use used should can one two three four five six seven eight
        nine ten first second third last same find collect put place add attach insert press push
        pull turn rotate flip repeat build take set slide connect click snap lay hold move stand fit
        align hang open close remove check join top bottom left right front back side sides middle
        center centre edge end corner upside down up around upright horizontally vertically studs
        stud row column away facing brick bricks piece pieces part parts tile tiles slope slopes
        roof wheel wheels wall door window hinge flat round curved thin short tall wide small large
        big clip clips hole holes step steps manual instructions model minifigure table bag bags red
        blue green yellow black white grey gray brown tan dark light bright transparent sand reddish
        purple pink""",
    "de": """
        der dem des ein eine einen einem einer eines und oder mit auf nach von zum zur bei aus ist
        sind nicht auch noch dann jetzt nun dir ihn ihm sie wir ihr uns dich deine dein diese diesen
        dieser dieses durch über unter neben zwischen vor hinter oben unten rechts vorne hinten
        mitte seite seiten ganz zwei drei vier fünf sechs sieben acht neun zehn suche suchen finde
        finden nimm nehmen setze setzen setz stecke stecken steck lege legen drehe drehen dreh
        drücke drücken baue bauen befestige wiederhole füge stelle stein steine steinen platte
        platten fliese fliesen teil teile teilen stück tisch noppen dach räder tür fenster modell
        anleitung schritt rot rote roten roter rotes blaue blauen blauer gelb gelbe gelben gelber
        grün grüne grünen schwarz schwarze schwarzen weiß weiße weißen grau graue grauen braun
        braune braunen hellgraue dunkelgraue transparente""",
    "fr": """
        une des et ou avec dans sur sous vers chez est sont pas puis ensuite maintenant votre vos
        vous nous ils elle elles cette cet ces ceux qui que quoi entre devant derrière dessus
        dessous gauche droite côté côtés milieu haut deux trois quatre cinq sept huit neuf dix
        trouve trouvez trouver cherche cherchez prends prenez mets mettez placez posez tourne
        tournez tourner appuie appuyez ajoute ajoutez fixe fixez insérez répète répétez construis
        construisez assemblez brique briques plaque plaques tuile tuiles pièce pièces roue roues
        toit porte fenêtre modèle étape tenons bleu bleue bleus bleues vert verte vertes jaune
        jaunes noire noires blanc blanche blanches gris grise grises foncé foncée clair
        claire brun""",
    "es": """
        una unas unos los las con hacia desde sobre bajo entre delante detrás encima debajo
        izquierda derecha arriba abajo lado lados centro medio está están luego después ahora tu
        este esta estos estas ese esa dos tres cuatro cinco seis siete ocho nueve diez busca buscar
        busque encuentra encuentre coge toma pon ponga poner coloca coloque colocar gira gire girar
        presiona añade inserta repite construye une encaja ladrillo ladrillos placa placas pieza
        piezas rueda ruedas techo puerta ventana mesa modelo paso rojo roja rojos rojas azul azules
        amarillo amarilla amarillas negro negra negros negras blanco blanca blancas gris grises
        verde verdes claro oscuro""",
    "it": """
        il gli uno una del della delle dei degli nel nella sul sulla sulle con che e ed poi ora tra
        fra sopra sotto davanti dietro sinistra destra lato lati centro alto basso questo questa
        questi queste tre quattro cinque sei sette otto nove dieci trova trovare cerca prendi metti
        mettere posiziona appoggia gira girare ruota premi aggiungi inserisci ripeti costruisci
        attacca collega mattoncino mattoncini mattone mattoni piastra piastre piastrella pezzo pezzi
        ruote tetto porta finestra tavolo modello passo rosso rossa rossi rosse giallo gialla nero
        nera neri nere bianco bianca bianchi verde verdi grigio grigia azzurro blu chiaro scuro""",
    "nl": """
        het een en op naar voor bij uit niet ook nog dan nu je jij deze dit dat tussen boven onder
        achter naast rechts voorkant achterkant zijkant midden twee drie vier vijf zes zeven acht
        negen tien zoek zoeken vind vinden pak neem plaats zet draai draaien druk voeg bevestig
        herhaal bouw steek schuif steen stenen plaat platen tegel tegels stuk stukken onderdeel
        onderdelen wiel wielen dak deur raam tafel stap noppen rode blauw blauwe geel gele zwart
        zwarte witte groen groene grijs grijze bruin bruine""",
    "da": """
        og det et af på til med fra ikke også derefter så nu din du begge foran ved siden højre
        venstre midten toppen bunden tre fire fem seks syv otte ni ti sæt læg drej tryk byg gentag
        vend placer fastgør klods klodser plade plader flise fliser brik brikker hjul dør vindue
        bord trin rød røde blå gul gule grøn grønne hvid hvide grå brun brune""",
    "no": """
        og det et av på med fra ikke også deretter så nå din du begge bak foran ved siden høyre
        venstre midten toppen bunnen tre fire fem seks sju åtte ni ti finn sett legg ta drei trykk
        bygg gjenta snu plasser fest kloss klosser flis fliser brikke brikker hjul tak dør
        vindu bord trinn rød røde blå gul gule grønn grønne svart svarte hvit hvite grå
        brun brune""",
    "sv": """
        och det ett av på med från inte också sedan så nu din du båda över under bakom framför vid
        sidan höger vänster mitten toppen botten två tre fyra fem sex sju åtta nio tio hitta leta
        sätt lägg ta vrid vänd tryck bygg upprepa placera fäst kloss klossar platta plattor bitar
        hjul tak dörr fönster bord steg röd röda blå blåa gul gula grön gröna svart svarta vit vita
        grå gråa brun bruna""",
    "pt": """
        uma uns umas da dos das na nos nas com e ou para pelo pela sobre sob entre atrás frente cima
        baixo esquerda direita lado lados centro meio depois agora este esta esse essa dois duas
        três quatro cinco seis sete oito nove dez encontre procure pegue coloque colocar vire gire
        pressione adicione insira repita construa encaixe junte tijolo tijolos bloco placa placas
        peça peças roda rodas telhado porta janela mesa modelo passo vermelho vermelha azul amarelo
        amarela preto preta branco branca verde cinza claro escuro""",
    "pl": """
        na od po nad przed za obok między się nie jest są oraz lub potem teraz ta te lewej prawej
        lewo prawo góry góra dół środku stronie dwa dwie trzy cztery pięć sześć siedem osiem znajdź
        weź połóż umieść obróć naciśnij dodaj włóż powtórz zbuduj przymocuj klocek klocki klocków
        płytka płytki część części koło koła dach drzwi okno stół krok czerwony czerwone czerwona
        niebieski niebieska żółty żółta zielony czarny czarna biały biała szary""",
    "cs": """
        na od po nad před za vedle mezi se není je jsou nebo potom nyní teď ta vlevo vpravo nahoru
        dolů nahoře dole strana uprostřed dva dvě tři čtyři pět šest sedm osm najdi najděte vezmi
        polož položte umísti otoč otočte zatlač přidej vlož opakuj postav kostka kostky kostku
        destička díl díly kolo kola střecha dveře okno stůl krok červený červená červenou modrý
        modrá žlutý žlutá zelený černý černá bílý bílá šedý""",
    "fi": """
        ja ei se ne tämä nämä sitten nyt sekä kanssa päälle päällä alle alla viereen väliin eteen
        taakse vasemmalle oikealle keskelle yksi kaksi kolme neljä viisi kuusi etsi aseta laita
        käännä paina lisää kiinnitä toista rakenna palikka palikkaa palat palaa pala levy levyä
        laatta pyörä katto ovi ikkuna pöydälle vaihe punainen punaista sininen sinistä keltainen
        keltaista vihreä musta mustaa valkoinen valkoista harmaa""",
    "hu": """
        az egy és vagy nem hogy majd alá fölé mellé közé elé mögé balra jobbra középre kettő két
        három négy öt hat keress keresd keresse tedd tegye helyezd fordítsd nyomd rakd építsd
        ismételd kocka kockát elem elemet lapot kerék tető ajtó ablak asztalra lépés piros kék sárga
        zöld fekete fehér szürke barna""",
    "tr": """
        ve bir bu şu ile için sonra şimdi üzerine altına yanına arasına önüne arkasına sola sağa
        ortasına iki üç dört beş altı bulun koy koyun yerleştir yerleştirin çevir çevirin ekle tak
        tekrarla tuğla tuğlayı parça parçayı levha plaka tekerlek çatı kapı pencere masaya adım
        kırmızı mavi sarı yeşil siyah beyaz gri kahverengi""",
}
WORDS = {code: frozenset(words.split()) for code, words in _WORDS.items()}
