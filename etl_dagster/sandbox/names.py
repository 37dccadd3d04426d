"""Words that the sample's names and addresses are made of.

Belongs here: the lists. Does not: who is called what. Any likeness to a person is an accident.
"""

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES: Final = _words(
    """
Aaron Abigail Adam Alan Alice Amanda Amber Amy Andrea Angela Anita Anna Anthony Ashley Barbara
Benjamin Beth Bianca Brandon Brian Bruce Carl Carlos Carmen Carol Catherine Charles Cheryl Cindy
Claire Craig Crystal Daniel David Dawn Deborah Dennis Diane Donald Donna Doris Douglas Edward
Elena Eric Esther Eugene Evelyn Frances Frank Gabriel Gary George Gloria Grace Gregory Hannah
Harold Heather Helen Henry Irene Isabel Jack Jacob James Janet Jason Jean Jeffrey Jerry Jesse Joan
Joel John Jordan José Joyce Juan Judith Julia Justin Karen Keith Kelly Kenneth Kevin Kyle Larry
Laura Leah Leon Linda Lois Louis Lucia Luis Marcus Margaret Maria Mark Martha Mary-Ann Megan
Melissa Miguel Monica Nancy Nathan Nicole Noah Nora Olivia Oscar Pamela Patricia Paul Peter Philip
Rachel Ralph Raymond Rebecca Ricardo Robert Rosa Roy Russell Ruth Ryan Samuel Sandra Sara Scott
Sean Sharon Sheila Simon Sofia Stephen Susan Sylvia Teresa Terry Thomas Tina Todd Tracy Tyler
Vanessa Vera Victor Vincent Virginia Walter Wanda Wayne Wendy William Yolanda Zachary Zoe
"""
)
LAST_NAMES: Final = _words(
    """
Abbott Acosta Adkins Albright Alvarado Anderson Armstrong Atwood Bailey Baldwin Barnett Barrera
Beasley Bennett Bergstrom Blackwell Bowman Bradford Brennan Bridges Brown Buchanan Burke Cabrera
Callahan Calderon Cantrell Carlson Castillo Chambers Chen Christensen Cisneros Clayton Coleman
Conrad Contreras Cooper Cortez Crawford Cunningham D'Angelo Dalton Davenport Dawson Delgado
Dickerson Donovan Dougherty Drake Dunlap Eastman Ellison Emerson Escobar Espinoza Farrell Ferguson
Fischer Fitzgerald Fleming Foster Franklin Frost Fuentes Gallagher Garrett Gibbons Gilmore
Goldberg Gonzalez Goodwin Graham Greene Griffith Guerrero Hale Hanson Harding Harper Hartman
Hayden Hendricks Hernandez Holloway Huang Huffman Hughes Ibarra Ingram Jackson Jacobson Jennings
Johnston Kapoor Keller Kim Kirkpatrick Klein Kowalski Lambert Larsen Lawson Leblanc Lindgren
Livingston Lopez Lucero Lynch MacDonald Madison Maldonado Marquez Marshall Mathews McAllister
McBride McCoy McGuire Mendoza Mercado Merritt Meyers Middleton Mitchell Montgomery Morales Moreno
Muñoz Nakamura Navarro Nguyen Nichols Nielsen O'Brien O'Connor Ochoa Olsen Ortega Osborne Pacheco
Parrish Patel Pearson Peralta Petersen Phelps Pineda Prescott Preston Quinn Ramirez Ramsey
Rasmussen Reyes Reynolds Richmond Rivera Robbins Rosales Rosenberg Rossi Rowland Salazar Sandoval
Santiago Schmidt Schneider Serrano Sexton Shapiro Sheppard Simmons Singh Skinner Smith-Jones
Solomon Stafford Stanton Stevenson Stewart Suarez Sullivan Swanson Tanaka Taylor Thornton Tran
Trevino Underwood Valdez Vargas Vasquez Villarreal Wagner Wallace Walters Warner Washington
Watkins Weaver Weber Whitaker Wilcox Wilkerson Winters Woodward Wyatt Yamamoto Yates Zamora
Zimmerman
"""
)
_TREES: Final = _words(
    """
Acorn Alder Aspen Birch Cedar Cherry Chestnut Cypress Dogwood Elm Fir Hazel Hickory Holly Juniper
Laurel Linden Magnolia Maple Oak Olive Palm Pecan Pine Poplar Redwood Spruce Sycamore Walnut
Willow
"""
)
_WAYS: Final = _words("St Ave Dr Ln Rd Ct Blvd Way Pl Ter")
STREETS: Final = tuple(
    f"{side}{tree} {way}" for side in ("", "N ", "Old ") for tree in _TREES for way in _WAYS
)
UNITS: Final = tuple(f" Apt {floor}{door}" for floor in range(1, 10) for door in "ABCD")
