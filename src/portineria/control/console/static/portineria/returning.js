// SPDX-License-Identifier: Apache-2.0
// Back from a SAML provider: its answer is sent once more, from here, because only then our cookie goes with it.
document.getElementById("returning").requestSubmit();
