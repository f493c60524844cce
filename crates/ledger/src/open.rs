//! Opening a ledger, and refusing one that is not what was written.
//!
//! Rows are read into memory, so their digest is always compared: sled may come back from a crash with rows missing in the middle. After anything but
//! an orderly close every blob is read for its own, else a [bucket](crate::buckets) when it is first asked for. The right edge of the tree is computed from the stored tiles and the last lines and
//! must give the stored root. Older lines, tiles and postings are checked whenever they are read.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::Path,
    sync::Arc,
};

use leasehold_codec::{line, row, touches::touches};
use leasehold_domain::{
    event::Event,
    machine::{self, Context},
    state::{State, recent::HORIZON},
};
use leasehold_failpoint::failpoint;

use crate::{
    buckets::{Buckets, Compared},
    digest::SetDigest,
    error::{Fault, OpenError},
    floor::{self, Floor, FloorFile},
    hash, keys,
    lines::{
        Block,
        stored::{Leaves, Stored, View, stored_tile},
    },
    merkle::{TILE_WIDTH, Tree, prove::ProofError},
    meta::Meta,
    pending::Pending,
    place::{Current, Place},
    postings::{Postings, RUN_LEN},
    recall::Recall,
    release::unlocked,
    shared::{Loaded, Log, Memory},
    store::{Disk, Store, Writes},
    written::Written,
};

/// The format that this build reads and writes: key spaces, values and snapshots.
pub(crate) const FORMAT: u32 = 1;
/// How many bytes of a file are read at once to see that they can be.
const READ_AT_ONCE: usize = 1 << 20;
/// How many random bytes name a store.
pub(crate) const STORE_ID_LEN: usize = 16;

/// A store that is there and of a known format.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) epoch: u64,
    pub(crate) store_id: [u8; STORE_ID_LEN],
    /// The digests of its blobs, if it was closed in order and not touched since.
    pub(crate) noted: Option<Buckets>,
}

/// Opens the current epoch, or begins the first.
pub(crate) fn current(place: &Place, cache_bytes: u64, disk: &dyn Disk) -> Result<Opened, OpenError> {
    match place.current()? {
        Current::Fresh => {
            place.begin(1)?;
            place.remove_others(None)?;
            let mut store_id = [0; STORE_ID_LEN];
            aws_lc_rs::rand::fill(&mut store_id).map_err(|_| OpenError::Store {
                what: "draw the id of",
                path: place.dir().to_owned(),
                reason: "no random numbers".to_owned(),
            })?;
            let path = place.epoch_dir(1);
            let store = Store::open(&path, cache_bytes)?;
            begin(&store, store_id, &Meta::empty(), disk).map_err(OpenError::from_fault(path))?;
            place.point_to(1)?;
            Ok(Opened { store, epoch: 1, store_id, noted: None })
        }
        Current::Epoch(epoch) => {
            let path = place.epoch_dir(epoch);
            if !path.join("db").is_file() {
                let what = format!("the store of epoch {epoch} is missing");
                return Err(OpenError::Damaged { path, what });
            }
            place.remove_others(Some(epoch))?;
            let noted = place.was_closed(epoch)?.and_then(|noted| Buckets::from_bytes(&noted));
            unlocked(&path.join("db")).map_err(OpenError::io("wait for", &path))?;
            readable(&path)?;
            let store = Store::open(&path, cache_bytes)?;
            let store_id = header(&store, &path)?;
            // A crash of the process alone leaves what sled wrote in the page cache: readable, and not yet durable.
            store.flush(disk).map_err(OpenError::from_fault(path))?;
            failpoint!("ledger.opened");
            Ok(Opened { store, epoch, store_id, noted })
        }
    }
}

/// Reads every file of a store once. Where a read fails sled takes what follows for torn, goes on without it, and overwrites it with zeros: a cable
/// that comes loose for a moment would cost the store.
fn readable(path: &Path) -> Result<(), OpenError> {
    let mut buffer = vec![0; READ_AT_ONCE];
    for entry in fs::read_dir(path).map_err(OpenError::io("list", path))? {
        let file = entry.map_err(OpenError::io("list", path))?.path();
        if !file.is_file() {
            continue;
        }
        let mut content = File::open(&file).map_err(OpenError::io("open", &file))?;
        while content.read(&mut buffer).map_err(OpenError::io("read", &file))? > 0 {}
    }
    Ok(())
}

/// Writes what a store begins with, durably.
pub(crate) fn begin(
    store: &Store,
    store_id: [u8; STORE_ID_LEN],
    meta: &Meta,
    disk: &dyn Disk,
) -> Result<(), Fault> {
    let mut writes = Writes::default();
    writes.put(keys::HEADER, &[&FORMAT.to_le_bytes()[..], &store_id].concat());
    writes.put(keys::META, &meta.to_bytes());
    store.write(disk, writes.into_batch())?;
    store.flush(disk)?;
    FloorFile::begin(store.path(), Floor::of(meta))
        .map_err(Fault::disk("note the first flush in", floor::path(store.path())))
}

fn header(store: &Store, path: &Path) -> Result<[u8; STORE_ID_LEN], OpenError> {
    let damaged = || OpenError::Damaged { path: path.to_owned(), what: "the header is missing".to_owned() };
    let content = store.get(keys::HEADER).map_err(OpenError::from_fault(path))?.ok_or_else(damaged)?;
    let (format, store_id) = content.split_first_chunk().ok_or_else(damaged)?;
    match u32::from_le_bytes(*format) {
        FORMAT => store_id.try_into().map_err(|_| damaged()),
        found => Err(OpenError::UnknownFormat { found, known: FORMAT }),
    }
}

/// Reads a store into memory; every blob too, unless digests of them were noted.
pub(crate) fn load(store: Arc<Store>, noted: Option<Buckets>) -> Result<Loaded, Fault> {
    let meta = store.get(keys::META)?.ok_or_else(|| Fault::damaged("the position is missing"))?;
    let meta = Meta::from_bytes(&meta).ok_or_else(|| Fault::damaged("the position is unreadable"))?;
    let mut state = rows(&store, &meta)?;
    let noted = noted.filter(|noted| noted.total() == meta.blobs);
    let compared = Arc::new(Compared::new(noted.is_none()));
    let buckets = noted.map_or_else(|| blobs(&store, &meta), Ok)?;
    let view = View { tree: tree(&store, &meta)?, pending: BTreeMap::new(), store: Arc::clone(&store) };
    let postings = recent(&view, &meta, &mut state)?;
    let floor = above_floor(&view, &meta)?;
    let View { tree, .. } = view;
    let applied = meta.applied.clone();
    Ok(Loaded {
        memory: Memory { state, applied: applied.clone() },
        log: Log { applied, pending: Pending::of(tree), postings, store: Some(store), compared },
        written: Written::new(meta, buckets, floor),
    })
}

/// Whether the store goes on from what it was when it was last flushed. It is flushed now.
fn above_floor(view: &View, meta: &Meta) -> Result<FloorFile, Fault> {
    let path = floor::path(view.store.path());
    let opened =
        FloorFile::open(view.store.path()).map_err(Fault::disk("read the last flush from", &path))?;
    let (mut file, floor) =
        opened.ok_or_else(|| Fault::damaged("nothing says how far the store was flushed"))?;
    let now = Floor::of(meta);
    if now.entries < floor.entries {
        return Err(Fault::damaged("the store ends before what was flushed"));
    }
    match view.tree.head_at(floor.tree().size, |id| view.tile(id)) {
        Ok(head) if head == floor.tree() => {
            file.note(now).map_err(Fault::disk("note the flush in", path))?;
            Ok(file)
        }
        Err(ProofError::Fault(fault)) => Err(fault),
        Ok(_) | Err(ProofError::OutOfRange { .. }) => {
            Err(Fault::damaged("the Merkle tree is not the one that was flushed"))
        }
    }
}

/// The state that the rows make up, and whether they are all there.
fn rows(store: &Store, meta: &Meta) -> Result<State, Fault> {
    let (mut digest, mut fault) = (SetDigest::default(), None);
    let rows = store.scan(keys::space(keys::ROW)).map_while(|pair| {
        let row = pair.and_then(|(key, content)| {
            digest.add(&key, &content);
            row::decode(key.get(1..).unwrap_or_default(), &content)
                .map_err(|error| Fault::damaged(format!("a row cannot be read: {error}")))
        });
        row.map_err(|error| fault = Some(error)).ok()
    });
    let state = State::restore(meta.applied.clock, rows);
    match fault {
        Some(fault) => Err(fault),
        None if digest == meta.rows => Ok(state),
        None => Err(Fault::damaged("the rows are not those that were written")),
    }
}

fn blobs(store: &Store, meta: &Meta) -> Result<Buckets, Fault> {
    let buckets = Buckets::of(store)?;
    if buckets.total() == meta.blobs {
        Ok(buckets)
    } else {
        Err(Fault::damaged("the blobs are not those that were written"))
    }
}

/// The tree, from the stored tiles and the last lines.
fn tree(store: &Store, meta: &Meta) -> Result<Tree, Fault> {
    let size = meta.size();
    if let Some((key, content)) = store.last(keys::space(keys::LINES))? {
        let first = keys::lines_first(&key).unwrap_or(u64::MAX);
        if Block::from_content(first, &content)?.end() != size {
            return Err(Fault::damaged("the last line is not the one before the position"));
        }
    }
    let leaves = Stored::new(store, size - size % TILE_WIDTH as u64, size)?
        .map(|line| Ok(hash::leaf(&line?.bytes)))
        .collect::<Result<_, Fault>>()?;
    let tree = Tree::restore(size, leaves, |id| stored_tile(store, id))?;
    if tree.head().root == meta.root {
        Ok(tree)
    } else {
        Err(Fault::damaged("the Merkle tree does not have the root that was written"))
    }
}

/// Folds the last lines again: leases and outcomes, which are no rows, and the postings of the run that is not complete.
fn recent(view: &View, meta: &Meta, state: &mut State) -> Result<Postings, Fault> {
    let size = meta.size();
    let recall_from = recall_from(&view.store, meta)?;
    let postings_from = meta.runs.saturating_mul(RUN_LEN);
    if postings_from > size {
        return Err(Fault::damaged("there are postings of lines that are not there"));
    }
    let mut postings = Postings::after(meta.runs);
    let (mut recall, mut leaves) = (Recall::default(), Leaves::new(view));
    for line in Stored::new(&view.store, recall_from.min(postings_from), size)? {
        let line = line?;
        leaves.check(&line)?;
        let (envelope, event) = parsed(&line.bytes, line.seq)?;
        if line.seq >= postings_from {
            postings.push(line.seq, touches(&event, &envelope.actor));
        }
        if line.seq >= recall_from {
            let context = Context { actor: envelope.actor, at: envelope.at, seq: line.seq };
            machine::recall(state, context, &event);
            recall.line(state, &envelope);
        }
    }
    recall.finish(state);
    Ok(postings)
}

/// The first line that is not older than what matters to the recent past.
fn recall_from(store: &Store, meta: &Meta) -> Result<u64, Fault> {
    let horizon = meta.applied.clock.time.minus(HORIZON);
    for pair in store.scan(keys::space(keys::LINES)).rev() {
        let (key, content) = pair?;
        let block = Block::from_content(keys::lines_first(&key).unwrap_or(u64::MAX), &content)?;
        let (mut from, mut older) = (block.first, false);
        for line in block.into_lines() {
            if parsed(&line.bytes, line.seq)?.0.at >= horizon {
                break;
            }
            (from, older) = (line.seq + 1, true);
        }
        if older {
            return Ok(from);
        }
    }
    Ok(0)
}

fn parsed(line: &[u8], seq: u64) -> Result<(line::Envelope, Event), Fault> {
    line::parse(line)
        .ok()
        .filter(|(envelope, _)| envelope.seq == seq)
        .ok_or_else(|| Fault::damaged(format!("line {seq} cannot be read")))
}
