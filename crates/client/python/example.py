"""Lists a person's files at a provider: python example.py https://leasehold.example:7400 alice

The credential comes from LEASEHOLD_CREDENTIAL.
"""

import asyncio
import os
import sys

from leasehold_client import Client, Consent, LeaseHolder, LeaseholdError, Want


async def main(address: str, subject: str) -> int:
    client = Client(address, credential=os.environ["LEASEHOLD_CREDENTIAL"])
    want = Want(mcp_server="files", connector="sandbox", subject=subject, scopes=("files.read",))
    try:
        async with LeaseHolder(client) as holder:
            lease = await holder.lease(want)
            if isinstance(lease, Consent):
                print(f"{lease.reason}: open {lease.connect_url}")
                return 1
            # Ask `holder.lease(want)` before each request to the provider: it is served from memory while the lease lives.
            print(f"{lease.lease_id} carries {' '.join(lease.scopes)}")
            await holder.release(lease)
            return 0
    except LeaseholdError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        return 1
    finally:
        await client.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:3])))
