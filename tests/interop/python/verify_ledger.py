"""Checks an exported ledger against a signed checkpoint: verify_ledger.py LEDGER.jsonl CHECKPOINT VKEY

An auditor's own check, written from the public texts alone: RFC 6962 (the tree), C2SP signed-note and
tlog-checkpoint (the signature). Prints `ok SIZE ROOT` and exits 0, or says why not and exits 1.
"""

import base64
import hashlib
import sys

import ed25519


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(lines):
    """The number of lines and their Merkle root; a leaf is a line without its newline."""
    size, stack = 0, []  # the roots of complete subtrees, left to right
    for line in lines:
        if not line.endswith(b"\n"):
            raise ValueError(f"line {size + 1} is cut short: it has no newline")
        node, rest = sha256(b"\0" + line[:-1]), size
        while rest & 1:
            node, rest = sha256(b"\1" + stack.pop() + node), rest >> 1
        stack.append(node)
        size += 1
    root = stack.pop() if stack else sha256(b"")
    while stack:
        root = sha256(b"\1" + stack.pop() + root)
    return size, root


def signed_head(note, vkey):
    """The size and root of the checkpoint `note`, once its signature by `vkey` is good."""
    name, key_id, key = vkey.strip().split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[:1] != b"\1" or sha256(name.encode() + b"\n" + key)[:4].hex() != key_id:
        raise ValueError("the verifier key is not a well-formed Ed25519 key")
    text, _, signatures = note.rpartition(b"\n\n")
    text, good = text + b"\n", False
    for line in signatures.splitlines():
        dash, signer, blob = line.decode().split(" ")
        blob = base64.b64decode(blob, validate=True)
        if dash == "\u2014" and signer == name and blob[:4].hex() == key_id:
            if not ed25519.verify(key[1:], text, blob[4:]):
                raise ValueError("the checkpoint's signature is wrong")
            good = True
    if not good:
        raise ValueError(f"the checkpoint has no signature by {name}+{key_id}")
    origin, size, root = text.decode().split("\n")[:3]
    if origin != name:
        raise ValueError(f"the checkpoint is of {origin}, the key of {name}")
    return int(size), base64.b64decode(root, validate=True)


def main(ledger, checkpoint, vkey):
    with open(checkpoint, "rb") as note:
        signed_size, signed_root = signed_head(note.read(), vkey)
    with open(ledger, "rb") as lines:
        size, root = root_of(lines)
    if size != signed_size:
        raise ValueError(f"the ledger has {size} lines, the checkpoint signs {signed_size}")
    if root != signed_root:
        raise ValueError("the ledger's root is not the signed one: a line was changed, moved or replaced")
    print("ok", size, base64.b64encode(root).decode())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as reason:
        sys.exit(f"refused: {reason}")
