//! Tables in a document that suites write by themselves: each scenario that passed leaves a row in the target folder, and the program `table` puts the
//! rows between the table's markers, `<!-- name -->` and `<!-- /name -->`. It knows neither the suites nor what stands in the cells.
//!
//! A row is a file of its own, so that tests that run at once, or in several binaries, need no lock. A suite's recipe removes the folder before it
//! begins, so that no row outlives its scenario.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

/// The file with the names of the columns, beside the rows.
const COLUMNS: &str = "columns";

/// A table that a suite writes.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    name: &'static str,
    columns: &'static [&'static str],
}

impl Table {
    /// One with these columns. The name is that of its markers.
    pub const fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns }
    }

    /// Writes a row, over the one that stood at this place before. Places give the order; they may have gaps.
    ///
    /// # Errors
    /// Where there are not as many cells as columns, a cell has a line break, or the file cannot be written.
    pub fn row(&self, place: usize, cells: &[&str]) -> anyhow::Result<()> {
        self.row_in(&rows_folder(self.name)?, place, cells)
    }

    fn row_in(&self, folder: &Path, place: usize, cells: &[&str]) -> anyhow::Result<()> {
        ensure!(
            cells.len() == self.columns.len(),
            "{} cells for {} columns",
            cells.len(),
            self.columns.len()
        );
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(folder.join(COLUMNS), line(self.columns)?)?;
        fs::write(folder.join(format!("{place:06}")), line(cells)?)?;
        Ok(())
    }
}

/// The table of what a suite has left in the target folder.
///
/// # Errors
/// Where it has left nothing.
pub fn gathered(name: &str) -> anyhow::Result<String> {
    gathered_in(&rows_folder(name)?)
}

fn gathered_in(folder: &Path) -> anyhow::Result<String> {
    let run_first = || format!("no rows in {}: run the suite first", folder.display());
    let columns = fs::read_to_string(folder.join(COLUMNS)).with_context(run_first)?;
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.ends_with(COLUMNS) {
            rows.push(path);
        }
    }
    ensure!(!rows.is_empty(), run_first());
    rows.sort();
    let rule = "|---".repeat(columns.matches(" |").count());
    let mut table = format!("{columns}{rule}|\n");
    for row in rows {
        table.push_str(&fs::read_to_string(row)?);
    }
    Ok(table)
}

/// The document with the table between the markers of this name, instead of what stood there.
///
/// # Errors
/// Where the document does not have both markers once, in order.
pub fn placed(document: &str, name: &str, table: &str) -> anyhow::Result<String> {
    let (opening, closing) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&opening).with_context(|| format!("no line {opening}"))?;
    let (_, after) = rest.split_once(&closing).with_context(|| format!("no {closing} after {opening}"))?;
    ensure!(!after.contains(&opening) && !after.contains(&closing), "the markers of {name} stand twice");
    Ok(format!("{before}{opening}\n{table}\n{closing}{after}"))
}

fn line(cells: &[&str]) -> anyhow::Result<String> {
    let mut line = String::from("|");
    for cell in cells {
        ensure!(!cell.contains(['\n', '\r']), "a cell with a line break: {cell}");
        line.push_str(&format!(" {} |", cell.replace('|', "\\|")));
    }
    line.push('\n');
    Ok(line)
}

/// Where a suite leaves its rows: beside the profiles, so that the program finds them whatever profile it was built in.
fn rows_folder(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut folder = program.parent().context("a program outside the target folder")?;
    if folder.ends_with("deps") {
        folder = folder.parent().context("a test outside the target folder")?;
    }
    Ok(folder.parent().context("a profile outside the target folder")?.join("tables").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table::new("sample", &["what", "outcome"]);

    #[test]
    fn rows_come_in_the_order_of_their_places() {
        let folder = tempfile::tempdir().unwrap();
        TABLE.row_in(folder.path(), 20, &["later", "well"]).unwrap();
        TABLE.row_in(folder.path(), 3, &["a|b", "so"]).unwrap();
        TABLE.row_in(folder.path(), 3, &["a|b", "well"]).unwrap();
        assert_eq!(
            gathered_in(folder.path()).unwrap(),
            "| what | outcome |\n|---|---|\n| a\\|b | well |\n| later | well |\n"
        );
    }

    #[test]
    fn a_row_of_another_width_or_with_a_line_break_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(TABLE.row_in(folder.path(), 0, &["one"]).is_err());
        assert!(TABLE.row_in(folder.path(), 0, &["one", "a\nb"]).is_err());
        assert!(gathered_in(folder.path()).is_err());
    }

    #[test]
    fn a_table_replaces_what_stood_between_its_markers_and_nothing_else() {
        let document = "above\n<!-- sample -->\nold\n<!-- /sample -->\nbelow\n";
        let placed_once = placed(document, "sample", "| new |\n").unwrap();
        assert_eq!(placed_once, "above\n<!-- sample -->\n\n| new |\n\n<!-- /sample -->\nbelow\n");
        assert_eq!(placed(&placed_once, "sample", "| new |\n").unwrap(), placed_once);
        assert!(placed("nothing", "sample", "").is_err());
        assert!(placed("<!-- sample -->\n", "sample", "").is_err());
        assert!(placed(&format!("{document}{document}"), "sample", "").is_err());
    }
}
