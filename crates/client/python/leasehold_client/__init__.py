"""Leases of access tokens from a Leasehold cluster.

`Client` makes single calls; `LeaseHolder` keeps leases fresh, and drops what the cluster ends.
"""

from .client import Client, Consent, Lease, Want
from .errors import LeaseholdError
from .holder import HeldLease, LeaseHolder

__all__ = ["Client", "Consent", "HeldLease", "Lease", "LeaseHolder", "LeaseholdError", "Want"]
