//! What the tests run is what the sources say: the filter and the STS are built, never merely looked for.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{Result, workspace};

/// The built filter and STS.
#[derive(Clone, Debug)]
pub struct Artefacts {
    /// `filter.wasm`.
    pub filter: PathBuf,
    /// The binary `cloakroom`.
    pub cloakroom: PathBuf,
}

/// Where a build's own messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// To the terminal.
    Shown,
    /// Nowhere, unless the build fails.
    Kept,
}

/// Builds both, once in this process. Cargo's own lock keeps several processes apart.
pub fn build(progress: Progress) -> Result<Artefacts> {
    static BUILT: OnceLock<Artefacts> = OnceLock::new();
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock();
    if let Some(built) = BUILT.get() {
        return Ok(built.clone());
    }
    let filter = filter(progress)?;
    // With this package beside it cargo chooses the features it chose for the program that runs now.
    let packages = ["--package", "e2e", "--package", "sts-backend", "--bin", "cloakroom"];
    run(workspace::cargo().arg("build").args(packages), progress)?;
    let built = Artefacts { filter, cloakroom: existing(workspace::target()?.join("debug/cloakroom"))? };
    Ok(BUILT.get_or_init(|| built).clone())
}

/// Builds the filter alone.
pub fn filter(progress: Progress) -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    once(&BUILT, || wasm("wasm", &[], progress))
}

/// Builds the filter that traps when a request asks for it. It has a profile of its own, and so another file: what ships is
/// never built from it.
pub fn filter_with_faults(progress: Progress) -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    once(&BUILT, || wasm("wasm-faults", &["--features", "fault-injection"], progress))
}

/// The header by which a request asks for a fault: `trap`, or `trap-after-ask`.
pub const FAULT_HEADER: &str = "x-cloakroom-fault";

/// What stands in a filter with faults and in no other.
pub const FAULT_MARK: &str = "this filter is built to trap on demand";

fn wasm(profile: &str, arguments: &[&str], progress: Progress) -> Result<PathBuf> {
    add_wasm_target(progress)?;
    let build = ["build", "--package", "filter", "--target", WASM, "--profile", profile];
    run(workspace::cargo().args(build).args(arguments), progress)?;
    existing(workspace::target()?.join(WASM).join(profile).join("filter.wasm"))
}

/// Builds in the first call and in none after it.
fn once(built: &Mutex<Option<PathBuf>>, build: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    let mut built = built.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(built) = built.as_ref() {
        return Ok(built.clone());
    }
    Ok(built.insert(build()?).clone())
}

/// The toolchain file names the target, but where automatic installs are off that alone does not bring it.
fn add_wasm_target(progress: Progress) -> Result<()> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace::root()).output()?;
    let sysroot = String::from_utf8(output.stdout)?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", WASM]).current_dir(workspace::root()), progress)
}

fn run(command: &mut Command, progress: Progress) -> Result<()> {
    let failed = || format!("{command:?} failed");
    if progress == Progress::Shown {
        let failed = failed();
        return if command.status()?.success() { Ok(()) } else { Err(failed.into()) };
    }
    let failed = failed();
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{failed}:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if path.is_file() { Ok(path) } else { Err(format!("the build left no {}", path.display()).into()) }
}

const WASM: &str = "wasm32-wasip1";
