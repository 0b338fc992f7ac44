//! `cargo xtask deploy`: from an archive of `dist` to a board that runs it.
//!
//! All that happens on the board is one script (`board.sh`), which goes there with the archive: it looks at the machine,
//! fills the free one of two slots, switches a link, restarts, asks for health, and goes back by itself.
//!
//! Limits: the board needs sh, GNU tools and flock, as Raspberry Pi OS and JetPack have them.

mod place;
mod remote;
#[cfg(test)]
pub mod tests;

use crate::{library, process, repo, sha256};
use anyhow::{Context, Result, bail, ensure};
use ocellus_boards::Profile;
pub use place::Place;
pub use remote::Unreachable;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("board.sh");

/// Put an archive of `dist` on a board: into the free slot, switched at once, back by itself if it is not healthy
#[derive(clap::Args)]
pub struct Args {
    /// Which board, such as rpi-4
    #[arg(long, value_name = "ID", value_parser = crate::dist::board)]
    board: &'static Profile,
    #[command(flatten)]
    place: Place,
    /// Run on the board after the switch, such as "sudo systemctl restart camera"
    #[arg(long, value_name = "COMMAND")]
    restart: Option<String>,
    /// Run on the board after the restart: it fails where the board is not healthy
    #[arg(long, value_name = "COMMAND")]
    health: Option<String>,
    /// What to put there; by default what `cargo xtask dist` made for the board
    #[arg(long, value_name = "FILE", conflicts_with = "rollback")]
    archive: Option<PathBuf>,
    /// Go back to the other slot
    #[arg(long)]
    rollback: bool,
}

/// The board was not healthy with what it got, and has in use again what it had before.
#[derive(Debug, thiserror::Error)]
#[error("{host}: rolled back; the board says why above")]
pub struct RolledBack {
    host: String,
}

/// Runs the verb.
///
/// # Errors
/// [`Unreachable`], [`RolledBack`], and what else went wrong.
pub fn run(args: &Args) -> Result<()> {
    let root = repo::root()?;
    run_with(args, &root.join("boards/local.toml"), &root)
}

fn run_with(args: &Args, local: &Path, root: &Path) -> Result<()> {
    let (remote, dir, local) = args.place.find(Some(&args.board.id), local)?;
    let restart = args.restart.clone().or(local.restart).unwrap_or_default();
    let health = args.health.clone().or(local.health).unwrap_or_default();
    let archive = match args.rollback {
        true => None,
        false => Some(Archive::of(args.archive.as_deref(), args.board, root)?),
    };
    let file = archive.as_ref().map(|archive| archive.file.as_path());
    let sent = archive.as_ref();
    let code = remote.run(
        SCRIPT,
        &[
            if args.rollback { "rollback" } else { "deploy" },
            &dir,
            &sent.map_or(0, |archive| archive.bytes).to_string(),
            &sent.map_or(0, |archive| archive.unpacked_kib).to_string(),
            sent.map_or("", |archive| &archive.sha256),
            &args.board.system.glibc_floor,
            &models_of_others(args.board),
            &restart,
            &health,
        ],
        file,
    )?;
    match code {
        0 => {
            println!("{remote}: {dir}/current is in use");
            Ok(())
        }
        5 => Err(RolledBack { host: remote.host }.into()),
        _ => bail!("{remote}: failed; the board says why above, and has in use what it had"),
    }
}

/// How boards of other kinds name themselves, `ID|MODEL` on a line each.
fn models_of_others(board: &Profile) -> String {
    let others = ocellus_boards::all()
        .iter()
        .filter(|other| other.id != board.id);
    let lines = others.flat_map(|other| {
        let models = other.models.iter();
        models.map(|model| format!("{}|{model}", other.id))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A file that `dist` made.
pub struct Archive {
    /// Where it is.
    pub file: PathBuf,
    bytes: u64,
    unpacked_kib: u64,
    sha256: String,
}

impl Archive {
    /// The one that is asked for, or the board's in `dist`, if it is what SHA256SUMS beside it says.
    pub fn of(asked: Option<&Path>, board: &Profile, root: &Path) -> Result<Archive> {
        let file = match asked {
            Some(file) => file.to_owned(),
            None => {
                let version = library::package_version(root)?;
                root.join(format!("dist/ocellus-{version}-{}.tar.gz", board.id))
            }
        };
        let content = fs::read(&file).with_context(|| {
            let id = &board.id;
            format!(
                "{}; `cargo xtask dist --board {id}` makes it",
                file.display()
            )
        })?;
        let sha256 = sha256::hex(&content);
        let name = file.file_name().context("an archive without a name")?;
        let sums = file.with_file_name("SHA256SUMS");
        let listed = fs::read_to_string(&sums).with_context(|| sums.display().to_string())?;
        let line = format!("{sha256}  {}", name.to_string_lossy());
        ensure!(
            listed.lines().any(|listed| listed == line),
            "{}: its SHA-256 is {sha256}, which {} does not list; make it again with `cargo xtask dist`",
            file.display(),
            sums.display()
        );
        let names = process::capture(Command::new("tar").arg("-tvzf").arg(&file))?;
        let sizes = names
            .lines()
            .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
        // A file takes whole blocks.
        let unpacked_kib = sizes.map(|size| size.div_ceil(4096) * 4).sum();
        Ok(Archive {
            file,
            bytes: content.len() as u64,
            unpacked_kib,
            sha256,
        })
    }

    /// Its name and hash, as `sha256sum` lists them.
    pub fn record(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        format!("{}  {}", self.sha256, name.to_string_lossy())
    }
}
