"""Where the sample's invented people live: states, cities, ZIP prefixes, telephone area codes.

Belongs here: public geography as one compact table. Does not: anything about people or phones.

Sources: area codes from the North American Numbering Plan Administrator's list of US codes in
service, ZIP prefixes from the Postal Service's three-digit prefix areas, FIPS from ANSI INCITS 38,
residents in hundred thousands from the 2020 census. It need not be complete, only plausible.
"""

from typing import Final, NamedTuple


class State(NamedTuple):
    """One state, as the sample needs it.

    Attributes:
        code: two letters.
        fips: two digits, text.
        zip_prefixes: first and last three-digit ZIP prefix.
        residents: hundred thousands; the sample draws states in this proportion.
        cities: a few of its cities.
        area_codes: its telephone area codes.
    """

    code: str
    fips: str
    zip_prefixes: tuple[int, int]
    residents: int
    cities: tuple[str, ...]
    area_codes: tuple[int, ...]


_TABLE = """
AL 01 350-369 50 Birmingham,Mobile,Huntsville 205,251,256,334,659,938
AK 02 995-999 7 Anchorage,Juneau 907
AZ 04 850-865 72 Phoenix,Tucson,Mesa 480,520,602,623,928
AR 05 716-729 30 Little_Rock,Fayetteville 327,479,501,870
CA 06 900-961 395 Los_Angeles,San_Diego,Fresno,San_Jose 209,213,279,310,323,341,350,369,408,415,424,442,510,530,559,562,619,626,628,650,657,661,669,707,714,738,747,760,805,818,820,831,840,858,909,916,925,949,951
CO 08 800-816 58 Denver,Pueblo,Aurora 303,719,720,970,983
CT 09 060-069 36 Hartford,New_Haven 203,475,860,959
DE 10 197-199 10 Wilmington,Dover 302
DC 11 200-205 7 Washington 202,771
FL 12 320-349 215 Orlando,Tampa,Miami,Jacksonville 239,305,321,324,352,386,407,448,561,645,656,689,727,728,754,772,786,813,850,863,904,941,954
GA 13 300-319 107 Atlanta,Savannah,Macon 229,404,470,478,678,706,762,770,912,943
HI 15 967-968 15 Honolulu,Hilo 808
ID 16 832-838 18 Boise,Nampa 208,986
IL 17 600-629 128 Chicago,Peoria,Rockford 217,224,309,312,331,447,464,618,630,708,730,773,779,815,847,861,872
IN 18 460-479 68 Indianapolis,Evansville 219,260,317,463,574,765,812,930
IA 19 500-528 32 Des_Moines,Davenport 319,515,563,641,712
KS 20 660-679 29 Wichita,Topeka 316,620,785,913
KY 21 400-427 45 Louisville,Lexington 270,364,502,606,859
LA 22 700-714 47 New_Orleans,Lafayette 225,318,337,504,985
ME 23 039-049 14 Portland,Bangor 207
MD 24 206-219 62 Baltimore,Frederick 227,240,301,410,443,667
MA 25 010-027 70 Boston,Worcester,Springfield 339,351,413,508,617,774,781,857,978
MI 26 480-499 101 Detroit,Lansing,Grand_Rapids 231,248,269,313,517,586,616,679,734,810,906,947,989
MN 27 550-567 57 Minneapolis,Duluth 218,320,507,612,651,763,924,952
MS 28 386-397 30 Jackson,Biloxi 228,601,662,769
MO 29 630-658 62 Kansas_City,Columbia,Saint_Louis 235,314,417,557,573,636,660,816,975
MT 30 590-599 11 Billings,Missoula 406
NE 31 680-693 20 Omaha,Lincoln 308,402,531
NV 32 889-898 31 Las_Vegas,Reno 702,725,775
NH 33 030-038 14 Manchester,Nashua 603
NJ 34 070-089 93 Newark,Hoboken,Trenton 201,551,609,640,732,848,856,862,908,973
NM 35 870-884 21 Albuquerque,Santa_Fe 505,575
NY 36 100-149 202 New_York,Buffalo,Albany 212,315,329,332,347,363,516,518,585,607,624,631,646,680,716,718,838,845,914,917,929,934
NC 37 270-289 104 Charlotte,Raleigh,Durham 252,336,472,704,743,828,910,919,980,984
ND 38 580-588 8 Fargo,Bismarck 701
OH 39 430-459 118 Columbus,Toledo,Akron 216,220,234,283,326,330,380,419,436,440,513,567,614,740,937
OK 40 730-749 40 Tulsa,Norman 405,539,572,580,918
OR 41 970-979 42 Portland,Salem 458,503,541,971
PA 42 150-196 130 Philadelphia,Pittsburgh,Erie 215,223,267,272,412,445,484,570,582,610,717,724,814,835,878
RI 44 028-029 11 Providence,Warwick 401
SC 45 290-299 51 Charleston,Greenville 803,821,839,843,854,864
SD 46 570-577 9 Sioux_Falls,Rapid_City 605
TN 47 370-385 69 Nashville,Memphis,Knoxville 423,615,629,731,865,901,931
TX 48 750-799 291 Houston,Dallas,Austin,El_Paso 210,214,254,281,325,346,361,409,430,432,469,512,682,713,726,737,806,817,830,832,903,915,936,940,945,956,972,979
UT 49 840-847 33 Provo,Ogden 385,435,801
VT 50 050-059 6 Burlington,Barre 802
VA 51 220-246 86 Richmond,Norfolk,Arlington 276,434,540,571,686,703,757,804,826,948
WA 53 980-994 77 Seattle,Spokane,Tacoma 206,253,360,425,509,564
WV 54 247-268 18 Huntington,Wheeling 304,681
WI 55 530-549 59 Milwaukee,Madison 262,274,353,414,534,608,715,920
WY 56 820-831 6 Cheyenne,Casper 307
"""  # noqa: E501 - one state a line reads best as a table


def _state(line: str) -> State:
    code, fips, prefixes, residents, cities, area_codes = line.split()
    first, last = prefixes.split("-")
    return State(
        code=code,
        fips=fips,
        zip_prefixes=(int(first), int(last)),
        residents=int(residents),
        cities=tuple(city.replace("_", " ") for city in cities.split(",")),
        area_codes=tuple(int(area_code) for area_code in area_codes.split(",")),
    )


STATES: Final = tuple(_state(line) for line in _TABLE.strip().splitlines())

AREA_CODES: Final = tuple(sorted(code for state in STATES for code in state.area_codes))
"""Every area code of the sample, ascending."""
