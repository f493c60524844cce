//! Gathering lines: in order, whole, and on from where they ended.

use super::*;

fn line(seq: u64) -> Vec<u8> {
    format!(
        "{{\"v\":1,\"seq\":{seq},\"at\":\"2026-07-30T12:00:00.000Z\",\"event\":\"GrantApproved\",\"outcome\":\"success\",\
         \"actor\":{{\"kind\":\"cluster\"}},\"data\":{{}}}}"
    )
    .into_bytes()
}

fn lines(seqs: std::ops::Range<u64>) -> Vec<u8> {
    seqs.flat_map(|seq| [line(seq), b"\n".to_vec()].concat()).collect()
}

fn answer(seqs: std::ops::Range<u64>) -> ExportResponse {
    ExportResponse { first_seq: seqs.start, lines: seqs.map(line).collect(), ..ExportResponse::default() }
}

fn args(folder: &Path, from: u64) -> ExportArgs {
    ExportArgs { out: folder.join("ledger.jsonl"), checkpoint_out: None, from }
}

#[test]
fn lines_are_gathered_in_order_each_with_its_newline() {
    let mut gathered = Gathered { file: Vec::new(), next: 0 };
    assert_eq!(gathered.take(answer(0..2)).unwrap(), None);
    let last = ExportResponse { checkpoint: "note".to_owned(), ..answer(2..3) };
    assert_eq!(gathered.take(last).unwrap().as_deref(), Some("note"));
    assert_eq!(gathered.next, 3);
    assert_eq!(gathered.file, lines(0..3));
}

#[test]
fn lines_out_of_order_and_lines_that_are_no_events_are_refused() {
    for bad in [
        answer(1..2),
        ExportResponse { lines: vec![line(1)], ..answer(0..0) },
        ExportResponse { lines: vec![b"{}".to_vec()], ..answer(0..0) },
        ExportResponse { lines: vec![[line(0), b"\n".to_vec()].concat()], ..answer(0..0) },
    ] {
        let mut gathered = Gathered { file: Vec::new(), next: 0 };
        assert_eq!(gathered.take(bad).unwrap_err().code(), "MALFORMED_ANSWER");
        assert!(gathered.file.is_empty());
    }
}

#[test]
fn a_files_end_is_its_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    assert_eq!(ends_before(&path).unwrap(), None);
    let whole = lines(0..3);
    fs::write(&path, &whole).unwrap();
    assert_eq!(ends_before(&path).unwrap(), Some((3, whole.len() as u64)));
    fs::write(&path, [whole.clone(), b"{\"v\":1,\"se".to_vec()].concat()).unwrap();
    assert_eq!(ends_before(&path).unwrap(), Some((3, whole.len() as u64)));
    let long = lines(0..2000);
    assert!(long.len() > 2 * line::LEN_MAX);
    fs::write(&path, &long).unwrap();
    assert_eq!(ends_before(&path).unwrap(), Some((2000, long.len() as u64)));
    fs::write(&path, "").unwrap();
    assert_eq!(ends_before(&path).unwrap(), None);
    fs::write(&path, "not an event\n").unwrap();
    assert!(ends_before(&path).is_err());
}

#[test]
fn an_interrupted_export_goes_on_without_its_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), 3);
    fs::write(args.part(), [lines(0..3), b"{\"torn".to_vec()].concat()).unwrap();
    args.begin().unwrap().write_all(&lines(3..4)).unwrap();
    assert_eq!(fs::read(args.part()).unwrap(), lines(0..4));
}

#[test]
fn a_finished_export_goes_on_in_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), 2);
    fs::write(&args.out, lines(0..2)).unwrap();
    args.begin().unwrap().write_all(&lines(2..3)).unwrap();
    assert_eq!(fs::read(args.part()).unwrap(), lines(0..3));
    assert_eq!(fs::read(&args.out).unwrap(), lines(0..2), "until all lines are there, the file is as it was");
}

#[test]
fn going_on_from_elsewhere_than_the_end_is_refused_and_says_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), 7);
    fs::write(&args.out, lines(0..2)).unwrap();
    let failure = args.begin().unwrap_err();
    assert!(failure.to_string().contains("use --from 2,"), "{failure}");
    assert!(!args.part().exists());
}

#[test]
fn a_part_of_the_ledger_can_be_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), 7);
    args.begin().unwrap().write_all(&lines(7..8)).unwrap();
    assert_eq!(ends_before(&args.part()).unwrap().unwrap().0, 8);
}

#[test]
fn an_export_from_the_beginning_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), 0);
    fs::write(args.part(), "left over").unwrap();
    drop(args.begin().unwrap());
    assert_eq!(fs::read(args.part()).unwrap(), b"");
}
