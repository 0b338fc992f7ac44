//! Where a board is: by options, or by `boards/local.toml`.

use super::remote::Remote;
use anyhow::{Context, Result, bail, ensure};
use ocellus_boards::Profile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How to reach a board, and where it has its slots.
#[derive(clap::Args, Clone)]
pub struct Place {
    /// Where the board is, as ssh takes it: USER@HOST; by default what boards/local.toml says
    #[arg(long)]
    pub host: Option<String>,
    /// The port of its ssh
    #[arg(long)]
    pub port: Option<u16>,
    /// The folder on the board that holds the slots; relative to the user's own [default: ocellus]
    #[arg(long)]
    pub dir: Option<String>,
    /// A configuration of ssh in place of the user's
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
}

/// What `boards/local.toml` says of one board.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Local {
    host: Option<String>,
    port: Option<u16>,
    dir: Option<String>,
    pub restart: Option<String>,
    pub health: Option<String>,
}

impl Place {
    /// The board, the folder there, and what else the local file says of it. The folder's name begins with no dash, so
    /// that no program takes it for an option.
    pub fn find(&self, id: Option<&str>, file: &Path) -> Result<(Remote, String, Local)> {
        let mut boards = read_local(file)?;
        let local = id.and_then(|id| boards.remove(id)).unwrap_or_default();
        let Some(host) = self.host.clone().or_else(|| local.host.clone()) else {
            let id = id.unwrap_or("rpi-4");
            bail!(
                "no host for {id}: give --host USER@HOST, or write it into boards/local.toml:\n[{id}]\nhost = \"pi@camera\""
            );
        };
        ensure!(
            !host.starts_with('-'),
            "--host: expected USER@HOST, got {host}"
        );
        let dir = self.dir.clone().or_else(|| local.dir.clone());
        let dir = dir.unwrap_or_else(|| "ocellus".into());
        let dir = match dir.starts_with('-') {
            true => format!("./{dir}"),
            false => dir,
        };
        let remote = Remote {
            host,
            port: self.port.or(local.port),
            config: self.ssh_config.clone(),
        };
        Ok((remote, dir, local))
    }
}

fn read_local(file: &Path) -> Result<BTreeMap<String, Local>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.with_context(|| file.display().to_string())?,
    };
    let boards: BTreeMap<String, Local> =
        toml::from_str(&text).with_context(|| file.display().to_string())?;
    for id in boards.keys() {
        let known = Profile::find(id).with_context(|| file.display().to_string())?;
        ensure!(
            known.id == *id,
            "{}: write {} for {id}",
            file.display(),
            known.id
        );
    }
    Ok(boards)
}
