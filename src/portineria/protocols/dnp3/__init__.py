# SPDX-License-Identifier: Apache-2.0
"""DNP3 over TCP, both directions: telecontrol of substations, waterworks and pipelines.

Cited are clauses of IEEE 1815-2012, which is sold: they are as makers of maintained implementations cite them (annex A
follows the numbers of the groups), and where these say no more only "4.4", the functions by their codes. One connection
can lead to several outstations, and each has an address of its own: it is the route (`through "outstation 10"`). How a
refusal looks, and what is counted on: decision 0040.
"""

from portineria.protocols.dnp3.functions import listed
from portineria.protocols.dnp3.link import mend, recognise
from portineria.protocols.dnp3.session import Dnp3Inspection
from portineria.protocols.dnp3.transfer import step
from portineria.protocols.inspection import ProtocolInfo

INFO = ProtocolInfo(
    name="dnp3",
    title="DNP3",
    ports=(20000,),  # 13.2
    begin=Dnp3Inspection,
    recognise=recognise,
    functions=listed(),
    own=(("outstation self",),),  # 9.2.4.1.5: whoever hears it
    withholds=True,
    mend=mend,
    step=step,
)
