# SPDX-License-Identifier: Apache-2.0
"""Methods of files by their node ids in the standard's own name space: of the types, and of the files that it places
under the server (lists of trusted certificates, configurations, name spaces).

Source: Part 6 annex A.1 (NodeIds.csv, 1.05); what they do: Part 5 annex C, Part 12 7.8.2 and 7.8.5, Part 14 9.1.3.7.
"""

from typing import Final

from portineria.protocols.operation import Kind

# To close and apply changes what the server is: whom it trusts, how it is configured.
_MEANT: Final = {
    "file-open": (Kind.FILE, "Part 5 annex C.2.2"),
    "file-open-with-masks": (Kind.FILE, "Part 12 7.8.2.3"),
    "file-close": (Kind.FILE, "Part 5 annex C.2.3"),
    "file-read": (Kind.FILE, "Part 5 annex C.2.4"),
    "file-write": (Kind.FILE, "Part 5 annex C.2.5"),
    "file-get-position": (Kind.FILE, "Part 5 annex C.2.6"),
    "file-set-position": (Kind.FILE, "Part 5 annex C.2.7"),
    "file-apply": (Kind.PROGRAM_WRITE, "Part 12 7.8.2.6"),
    "file-export": (Kind.FILE, "Part 5 annex C"),
}
_NODES: Final = {
    "file-open": (
        "11580 11629 11659 12647 13372 13605 13821 13855 13889 13923 13958 13992 14026 14095 14129 15572 15971 "
        "16013 16332 16717 17134 18024 18562 25411 25459 26889 27261 27633"
    ),
    "file-open-with-masks": (
        "12543 12663 13621 13837 13871 13905 13939 13974 14008 14042 14111 14145 16741 17153 18045 26907 27279 27651"
    ),
    "file-close": (
        "11583 11632 11662 12650 13375 13608 13824 13858 13892 13926 13961 13995 14029 14098 14132 15575 15974 "
        "16060 16335 16724 17137 18027 18565 25414 25462 26892 27264 27636"
    ),
    "file-read": (
        "11585 11634 11664 12652 13377 13610 13826 13860 13894 13928 13963 13997 14031 14100 14134 15791 15976 "
        "16074 16337 16726 17139 18031 18567 25416 25464 26894 27266 27638"
    ),
    "file-write": (
        "11588 11637 11667 12655 13380 13613 13829 13863 13897 13931 13966 14000 14034 14103 14137 15805 15979 "
        "16101 16340 16729 17142 18034 18570 25419 25467 26897 27269 27641"
    ),
    "file-get-position": (
        "11590 11639 11669 12657 13382 13615 13831 13865 13899 13933 13968 14002 14036 14105 14139 15807 15981 "
        "16103 16342 16732 17144 18036 18572 25421 25469 26899 27271 27643"
    ),
    "file-set-position": (
        "11593 11642 11672 12660 13385 13618 13834 13868 13902 13936 13971 14005 14039 14108 14142 15810 15984 "
        "16124 16345 16735 17147 18039 18575 25424 25472 26902 27274 27646"
    ),
    "file-apply": (
        "12546 12666 13624 13840 13874 13908 13942 13977 14011 14045 14114 14148 15505 15849 16317 16368 16744 "
        "17156 18049 18581 25429 25477 25508 26910 27282 27654"
    ),
    "file-export": "11615 11644 11674 15986",
}
FILE_METHODS: Final = {f"i={node}": (name, *_MEANT[name]) for name, nodes in _NODES.items() for node in nodes.split()}
