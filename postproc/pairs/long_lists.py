"""Where lists that are as long as an answer save a second product of queries and gallery: a rule of sizes.

No figure of the machine is in it, so that the same call gives the same bits everywhere.
"""

MORE = 8  # entries of a list beyond the answer's, so that the end of the list is farther than the last of it
LONGEST = 1024  # a list beyond that costs more than a strip
# What :func:`cheaper` counts, in multiply-adds of a matrix product.
ENTRY, QUERY, PAIR, STRIP = 40_000, 50_000_000, 60, 400
MATRIX = 256 << 20  # bytes of all distances that are kept from the walk for an answer of lists
QUERIES = 1024  # whose candidates are there at a time
CANDIDATES = 1500  # a query has at a time, as features around identities give them
EACH = 36  # bytes of a candidate, while ranges of them are joined
LONG = 256  # entries of a list, from which on it pays that what is found waits for more from one tile to the next


def length(nq: int, ng: int, width: int, top_k: int | None, *, one_set: bool) -> int | None:
    """How many entries lists of all images want; None where strips of the whole gallery are cheaper.

    Lists are of all images, the queries among them, and in one set the image itself.
    """
    images = ng if one_set else nq + ng
    if top_k is None or not images:
        return None
    wanted = entries(nq, ng, top_k, one_set=one_set)
    return wanted if wanted <= LONGEST and cheaper(nq, ng, width, top_k, images * wanted) else None


def entries(nq: int, ng: int, top_k: int, *, one_set: bool) -> int:
    """How long lists of all images have to be, that nearly every answer of ``top_k`` is certain by them."""
    images = ng if one_set else nq + ng
    return min(images, -(-(top_k + MORE) * images // ng) + one_set)


def keeps_matrix(nq: int, ng: int, top_k: int | None) -> bool:
    """Whether all distances are few enough to be kept for an answer of lists: then nothing is computed twice."""
    return top_k is not None and 4 * nq * ng <= MATRIX


def cheaper(nq: int, ng: int, width: int, top_k: int, entries: int) -> bool:
    """Whether so many more entries of lists, and candidates, cost less than a strip of distances for every query.

    A strip has the products, and as much as 400 more a pair for what is done with them. Entries cost their place
    in a heap; a query's candidates are gathered, and some two distances an answer asked for, one pair at a time.
    """
    return nq * ng * (width + STRIP) > ENTRY * entries + nq * (QUERY + PAIR * top_k * width)


def beside(nq: int, ng: int, width: int, top_k: int | None, *, one_set: bool) -> int:
    """Bytes of such lists and of candidates. In one set the answer is written into the lists."""
    wanted = length(nq, ng, width, top_k, one_set=one_set)
    if top_k is None or wanted is None:
        return 4 * nq * ng if keeps_matrix(nq, ng, top_k) else 0
    lists = 8 * (ng * (wanted - min(top_k, ng)) if one_set else (nq + ng) * wanted)
    waiting = 8 * (ng if one_set else nq + ng) * waiting_beside(wanted)
    return lists + max(waiting, EACH * min(QUERIES, nq) * min(CANDIDATES, ng))


def waiting_beside(k: int) -> int:
    """How many keys of 8 bytes wait beside a list of k while neighbours are looked for."""
    return k // 2 + 96 if k >= LONG else 0
