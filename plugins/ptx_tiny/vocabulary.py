"""The closed vocabulary of the demonstration model in English, Spanish and German.

Nouns are plural, and the Spanish ones masculine, so that no exercise needs agreement: `rojos` and `rote` fit
every noun.
"""

from __future__ import annotations

Word = tuple[str, str, str]

NUMBERS: tuple[Word, ...] = (
    ("two", "dos", "zwei"), ("three", "tres", "drei"), ("four", "cuatro", "vier"), ("five", "cinco", "fünf"),
    ("six", "seis", "sechs"), ("seven", "siete", "sieben"),
    ("eight", "ocho", "acht"), ("nine", "nueve", "neun"),
)  # fmt: skip
COLOURS: tuple[Word, ...] = (
    ("red", "rojos", "rote"), ("blue", "azules", "blaue"), ("green", "verdes", "grüne"),
    ("black", "negros", "schwarze"), ("white", "blancos", "weiße"), ("grey", "grises", "graue"),
)  # fmt: skip
NOUNS: tuple[Word, ...] = (
    ("dogs", "perros", "Hunde"), ("cats", "gatos", "Katzen"),
    ("horses", "caballos", "Pferde"), ("birds", "pájaros", "Vögel"),
    ("books", "libros", "Bücher"), ("boats", "barcos", "Boote"),
    ("trees", "árboles", "Bäume"), ("shoes", "zapatos", "Schuhe"),
    ("glasses", "vasos", "Gläser"), ("trains", "trenes", "Züge"),
    ("hats", "sombreros", "Hüte"), ("houses", "edificios", "Häuser"),
)  # fmt: skip
CATEGORIES: tuple[tuple[Word, ...], ...] = (
    (
        ("dog", "perro", "Hund"), ("cat", "gato", "Katze"),
        ("horse", "caballo", "Pferd"), ("bird", "pájaro", "Vogel"),
        ("fish", "pez", "Fisch"), ("cow", "vaca", "Kuh"), ("sheep", "oveja", "Schaf"), ("bear", "oso", "Bär"),
    ),
    (
        ("red", "rojo", "rot"), ("blue", "azul", "blau"),
        ("green", "verde", "grün"), ("black", "negro", "schwarz"),
        ("white", "blanco", "weiß"), ("grey", "gris", "grau"),
        ("yellow", "amarillo", "gelb"), ("brown", "marrón", "braun"),
    ),
    (
        ("apple", "manzana", "Apfel"), ("pear", "pera", "Birne"),
        ("plum", "ciruela", "Pflaume"), ("cherry", "cereza", "Kirsche"),
        ("lemon", "limón", "Zitrone"), ("grape", "uva", "Traube"),
        ("fig", "higo", "Feige"), ("melon", "melón", "Melone"),
    ),
    (
        ("hammer", "martillo", "Hammer"), ("saw", "sierra", "Säge"),
        ("nail", "clavo", "Nagel"), ("drill", "taladro", "Bohrer"),
        ("rope", "cuerda", "Seil"), ("ladder", "escalera", "Leiter"),
        ("brush", "pincel", "Pinsel"), ("knife", "cuchillo", "Messer"),
    ),
)  # fmt: skip
