//! Hostile input for everything that reads some: each target is a function of bytes that must hold whatever the bytes are.
//!
//! A run replays the target's corpus, `corpus/<target>/`, and then judges inputs that are made out of it by seeded mutation, so that two
//! runs see the same. `LEASEHOLD_FUZZ_SECONDS` makes a run go on for so long, with other seeds each time; an input that does not hold
//! is written to `found/<target>/`, from where it belongs into the corpus. Targets of what is public are in `tests/it`, those of what is
//! not in the crate that has it. A target is a plain function, so a coverage-guided engine can drive the same ones.

mod mutate;

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::mutate::{Draw, mutate};

/// The longest input that is made, in bytes.
pub const LEN_MAX: usize = 16 * 1024;
/// The most files of a corpus.
const FILES_MAX: usize = 40;

/// The corpus of a target, by file name.
///
/// # Panics
/// Where there is none, or more than 40 files: a target without samples would test nothing.
pub fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let listed = fs::read_dir(&folder).expect("a target has a corpus");
    let files: BTreeMap<String, Vec<u8>> = listed
        .map(|file| {
            let path = file.expect("a corpus can be listed").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (name, fs::read(&path).expect("a file of a corpus can be read"))
        })
        .collect();
    assert!((1..=FILES_MAX).contains(&files.len()), "{target}: a corpus has 1 to {FILES_MAX} files");
    files
}

/// Judges the corpus of a target, and then `rounds` inputs that are made out of it.
///
/// # Panics
/// With whatever `judge` panics with. Which input it was is said on standard error.
pub fn run(target: &str, rounds: u32, judge: impl Fn(&[u8])) {
    let corpus = corpus(target);
    for (name, input) in &corpus {
        hold(target, &format!("the corpus file {name}"), input, &judge);
    }
    let seeds: Vec<&[u8]> = corpus.values().map(Vec::as_slice).collect();
    let mut draw = Draw::new(target.bytes().fold(seed(), |sum, byte| sum.rotate_left(7) ^ u64::from(byte)));
    for round in 0..rounds {
        made(target, round, &seeds, &mut draw, &judge);
    }
    let Some(seconds) = seconds() else { return };
    let mut draw = Draw::new(draw.next() ^ u64::from(std::process::id()));
    let begun = clock();
    let mut round = rounds;
    while clock().saturating_sub(begun) < seconds {
        made(target, round, &seeds, &mut draw, &judge);
        round = round.wrapping_add(1);
    }
}

fn made(target: &str, round: u32, seeds: &[&[u8]], draw: &mut Draw, judge: &impl Fn(&[u8])) {
    let input = mutate(seeds, draw);
    hold(target, &format!("round {round}"), &input, judge);
}

fn hold(target: &str, which: &str, input: &[u8], judge: &impl Fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| judge(input))) {
        say(target, which, input);
        resume_unwind(panic);
    }
}

#[expect(clippy::print_stderr, reason = "what a test found is for whoever runs it")]
fn say(target: &str, which: &str, input: &[u8]) {
    match keep(target, input) {
        Ok(path) => eprintln!("{target}: {which} does not hold; it is in {}", path.display()),
        Err(error) => {
            eprintln!("{target}: {which} does not hold, and cannot be kept ({error}): {input:02x?}")
        }
    }
}

fn keep(target: &str, input: &[u8]) -> std::io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("found").join(target);
    fs::create_dir_all(&folder)?;
    let sum = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let path = folder.join(format!("{sum:016x}"));
    fs::write(&path, input)?;
    Ok(path)
}

/// Where the seeds begin: `LEASEHOLD_FUZZ_SEED`, or always the same.
fn seed() -> u64 {
    env::var("LEASEHOLD_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x1ea5_e401d)
}

/// How long a run goes on: `LEASEHOLD_FUZZ_SECONDS`.
fn seconds() -> Option<Duration> {
    env::var("LEASEHOLD_FUZZ_SECONDS").ok()?.parse().ok().map(Duration::from_secs)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a run goes on is no test's matter, and no test pauses it"
)]
fn clock() -> Duration {
    use std::{sync::OnceLock, time::Instant};
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed()
}
