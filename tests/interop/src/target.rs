//! Where installed things go: the folder `interop` in the cargo target folder that this test was built into.

use std::env;
use std::path::{Path, PathBuf};

/// Cargo marks each target folder with this file (and with nothing else that is documented).
const MARK: &str = "CACHEDIR.TAG";

pub(crate) fn interop_folder() -> PathBuf {
    let built = env::current_exe().ok();
    let target = built.as_deref().and_then(marked_ancestor);
    target
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), Path::to_path_buf)
        .join("interop")
}

fn marked_ancestor(file: &Path) -> Option<&Path> {
    file.ancestors().find(|folder| folder.join(MARK).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_in_the_target_folder_of_this_test() {
        let folder = interop_folder();
        let target = folder.parent().unwrap();
        assert!(target.join(MARK).is_file(), "{} is no cargo target folder", target.display());
        assert!(env::current_exe().unwrap().starts_with(target));
    }
}
