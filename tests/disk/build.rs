//! Compiles the layer into a shared object that the loader can put into a node's process.

use std::{env, path::PathBuf};

use anyhow::{Context, ensure};

const SOURCE: &str = "layer/layer.c";

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed={SOURCE}");
    let layer = PathBuf::from(env::var("OUT_DIR")?).join("layer.so");
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        let compiler =
            cc::Build::new().opt_level(2).warnings(true).extra_warnings(true).try_get_compiler()?;
        let built = compiler
            .to_command()
            .args(["-shared", "-fPIC", "-pthread", SOURCE, "-o"])
            .arg(&layer)
            .status()
            .context("the C compiler cannot be started")?;
        ensure!(built.success(), "{SOURCE} does not compile");
    }
    println!("cargo:rustc-env=LEASEHOLD_DISK_LAYER={}", layer.display());
    Ok(())
}
