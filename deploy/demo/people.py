"""People for the demo: invented, with names that are common where they come from."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from deploy.demo.cities import City

CATALAN = (
    "Núria Jordi Montserrat Pau Laia Oriol Mercè Arnau Anna Martí Gemma Roger",
    "Camps Puig Vila Serra Roca Ferrer Soler Casals Bosch Pujol Riera Font",
)
NAMES: Mapping[str, tuple[str, str]] = {
    "ES": (
        "Lucía Javier Carmen Álvaro Inés Sergio Pilar Rubén",
        "García Romero Iglesias Vega Molina Navarro Ortega Gil",
    ),
    "FR": ("Camille Julien Élodie Mathieu Chloé Antoine", "Moreau Lefèvre Girard Roux Fontaine Chevalier"),
    "IT": ("Giulia Marco Chiara Lorenzo Francesca Matteo", "Rossi Bianchi Ferrari Conti Gallo Moretti"),
    "PT": ("Inês Tiago Mariana Rui Beatriz João", "Silva Ferreira Carvalho Lopes Marques Ribeiro"),
    "DE": ("Anna Lukas Katharina Jonas Lena Felix", "Schneider Fischer Weber Wagner Becker Hoffmann"),
    "NL": ("Sanne Daan Lotte Bram Femke Jeroen", "Jansen Bakker Visser Smit Mulder Dekker"),
    "BE": ("Lien Pieter Elise Wout Marie Bart", "Peeters Maes Claes Willems Mertens Wouters"),
    "DK": ("Freja Mikkel Ida Rasmus Signe Søren", "Nielsen Hansen Pedersen Andersen Larsen Madsen"),
    "SE": ("Elsa Erik Astrid Oskar Maja Gustav", "Andersson Johansson Lindberg Nyström Sandberg Ekström"),
    "FI": ("Aino Eero Helmi Juhani Satu Mikko", "Korhonen Virtanen Mäkinen Nieminen Laine Heikkinen"),
    "IE": ("Aoife Cian Niamh Conor Orla Declan", "Murphy Byrne Walsh Kennedy Doyle Gallagher"),
    "PL": ("Zofia Jakub Katarzyna Piotr Magdalena Tomasz", "Nowak Kowalczyk Zieliński Mazur Wójcik Krawczyk"),
    "CZ": ("Tereza Jakub Lucie Ondřej Eliška Martin", "Dvořák Černý Procházka Kučera Marek Pospíšil"),
    "HU": ("Eszter Bence Zsófia Gergő Réka Ádám", "Nagy Szabó Tóth Kovács Horváth Varga"),
    "AT": ("Magdalena Florian Theresa Stefan Elisabeth Matthias", "Gruber Huber Steiner Moser Mayer Leitner"),
    "SI": ("Maja Luka Nina Matej Petra Rok", "Novak Horvat Krajnc Zupančič Kovačič Potočnik"),
    "HR": ("Ivana Marko Petra Luka Marija Tomislav", "Horvat Kovačević Babić Marić Jurić Knežević"),
    "RO": ("Ioana Andrei Elena Mihai Raluca Radu", "Popescu Ionescu Dumitru Stan Marin Munteanu"),
    "BG": ("Desislava Georgi Mariya Ivan Elitsa Nikolay", "Ivanov Petrov Dimitrov Stoyanov Angelov Todorov"),
    "GR": ("Eleni Giorgos Maria Nikos Katerina Dimitris", "Papadakis Nikolaidis Georgiou Makris Ioannou Pappas"),
    "LT": ("Rasa Tomas Eglė Jonas Ieva Mantas", "Kazlauskas Petrauskas Jankauskas Butkus Paulauskas Urbonas"),
    "LV": ("Līga Jānis Ilze Andris Zane Mārtiņš", "Bērziņš Kalniņš Ozoliņš Liepiņš Krūmiņš Balodis"),
    "EE": ("Kadri Mart Liis Tanel Kristiina Priit", "Tamm Saar Sepp Mägi Kask Rebane"),
}
WITHOUT_ACCENT = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "đ": "d", "æ": "ae"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts for a city."""

    name: str
    email: str
    language: str
    city: City


def of(cities: list[City], story: str, chance: Random) -> Iterator[Person]:
    """Give one person for each city; their addresses are this story's own."""
    for city in cities:
        given, family = CATALAN if city.catalan else NAMES[city.country]
        name = f"{chance.choice(given.split())} {chance.choice(family.split())}"
        address = f"{plain(name).replace('-', '.')}@{plain(city.name)}-{story}.example.org"
        language = "ca" if city.catalan else "es" if city.country == "ES" else "en"
        yield Person(name, address, language, city)


def plain(text: str) -> str:
    """Write a name in lower-case letters, digits and hyphens."""
    ascii_only = unicodedata.normalize("NFKD", text.translate(WITHOUT_ACCENT)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
