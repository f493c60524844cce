"""Does with a holder what it is told, one JSON object a line, and answers each with one: for tests that have a cluster.

python driver.py ADDRESS, with the credential in LEASEHOLD_CREDENTIAL. Ends with its input.
"""

import asyncio
import json
import os
import sys

from leasehold_client import Client, Consent, LeaseHolder, LeaseholdError, Want


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def obey(holder: LeaseHolder, held: dict, order: dict) -> dict:
    match order["do"]:
        case "watching":
            await until(lambda: holder.watching)
            return {}
        case "lease":
            want = Want(**{**order["want"], "scopes": tuple(order["want"]["scopes"])})
            lease = await holder.lease(want)
            if isinstance(lease, Consent):
                return {
                    "consent": lease.reason,
                    "missing_scopes": lease.missing_scopes,
                    "connect_url": lease.connect_url,
                }
            held[lease.lease_id] = lease
            return {"lease": lease.lease_id, "token": lease.access_token, "scopes": lease.scopes}
    lease = held[order["lease"]]
    match order["do"]:
        case "live":
            return {"live": lease.live}
        case "renewed":
            before = lease.expires_at
            await until(lambda: lease.expires_at > before)
            return {}
        case "ended":
            await lease.ended()
            return {"live": lease.live}
        case "release":
            await holder.release(lease)
            return {}
        case "shown":
            return {"shown": f"{lease!r} {lease} {vars(holder)}"}
    raise ValueError(order["do"])


async def main() -> None:
    client = Client(sys.argv[1], credential=os.environ["LEASEHOLD_CREDENTIAL"])
    held: dict = {}
    async with LeaseHolder(client) as holder:
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = await obey(holder, held, json.loads(line))
            except LeaseholdError as error:
                answer = {"error": error.reason, "retryable": error.retryable, "text": str(error)}
            print(json.dumps(answer), flush=True)
    await client.close()


asyncio.run(main())
