//! `cargo xtask flash`: a card that boots into inference.
//!
//! The image holds Debian's kernel, the Pi's firmware, and one file system that the kernel unpacks into memory: a shell,
//! `ocellus` as `dist` made it, and a first program that starts it and sees that answers come (`init.sh`). Nothing is ever
//! written to the card, so the power may go at any moment. A second partition holds its owner's files.
//!
//! No root is needed for an image; a card wants the right to write to it. `emulated.rs` boots images in QEMU, which proves
//! kernel, file systems, first program and `ocellus`. Limits: it does not prove the Pi's own firmware and power.

mod boards;
mod card;
mod console;
mod cpio;
mod disk;
mod emulated;
mod image;
mod initramfs;
mod modules;
mod packages;
#[cfg(test)]
mod tests;
mod write;

use crate::deploy::Archive;
use crate::scratch::Scratch;
use crate::setup::{self, For};
use crate::{process, repo, sha256};
use anyhow::{Context, Result, bail, ensure};
use boards::Boot;
use card::{Card, System};
use disk::{Files, Image};
pub use emulated::boot;
use image::Ingredients;
use initramfs::Software;
use ocellus_boards::Profile;
use packages::{Base, Versions};
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Make a card, or an image of one, that boots a Raspberry Pi into inference
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("to").args(["image", "device"]).multiple(true).required(true)))]
pub struct Args {
    /// Which board: rpi-zero-2-w, rpi-3, rpi-4
    #[arg(long, value_name = "ID", value_parser = crate::dist::board, required_unless_present = "from")]
    board: Option<&'static Profile>,
    /// Write the image to this file
    #[arg(long, value_name = "OUT.img")]
    image: Option<PathBuf>,
    /// Write the image to this card; everything on it is lost
    #[arg(long, value_name = "/dev/sdX")]
    device: Option<PathBuf>,
    /// Write an image that was made before
    #[arg(long, value_name = "FILE.img", requires = "device", conflicts_with_all = ["board", "image", "archive", "data"])]
    from: Option<PathBuf>,
    /// What the card runs; by default what `cargo xtask dist` made for the board
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Put the files of this folder on the owner's partition: labels.txt, ocellus.conf, pictures
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Accept the licence of the Pi's firmware without being asked
    #[arg(long)]
    accept_firmware_licence: bool,
    /// Take the newest packages of Debian, not those that are here
    #[arg(long)]
    update: bool,
    /// Overwrite the card
    #[arg(long)]
    yes: bool,
    /// Only look and say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    // What can be refused is refused before anything is fetched or made.
    let boot = args.board.map(Boot::of).transpose()?;
    let made_before = args.from.as_deref().map(Image::open).transpose()?;
    let needed = made_before
        .as_ref()
        .map_or(disk::BYTES, |image| image.bytes);
    let find = |device: &Path| Card::find(device, needed, &System::default());
    let card = args.device.as_deref().map(find).transpose()?;
    if let Some(card) = &card {
        let (device, model, size) = (card.device.display(), &card.model, card.size());
        println!("{device}: {model}, {size}; everything on it will be lost");
        ensure!(
            args.yes || args.dry_run,
            "{device}: not overwritten; if it is the right one, say --yes"
        );
    }
    setup::ensure(For::Flash)?;
    let image = match (made_before, args.board, boot) {
        (Some(image), ..) => Some(image),
        (None, Some(board), Some(boot)) => make(args, board, boot)?,
        _ => bail!("--board or --from says what is written"),
    };
    let Some(image) = image else {
        return Ok(());
    };
    let done = card.map_or(Ok(()), |card| {
        // Making an image takes a while, and cards are taken out and put in.
        let device = card.device.display();
        let now = find(&card.device)?;
        ensure!(now == card, "{device}: another card is in it now");
        put(&image, &card, args.dry_run)
    });
    if args.image.is_none() && args.from.is_none() {
        fs::remove_file(&image.path)?;
    }
    done
}

/// Makes the image that is asked for; nothing where it is only talked about.
fn make(args: &Args, board: &Profile, boot: &'static Boot) -> Result<Option<Image>> {
    let root = repo::root()?;
    let archive = Archive::of(args.archive.as_deref(), board, &root)?;
    let data = args.data.as_deref().map(image::files_in).transpose()?;
    let path = match &args.image {
        Some(path) => std::path::absolute(path)?,
        None => repo::cache()?.join("card.img"),
    };
    if args.dry_run {
        let (size, path) = (disk::BYTES >> 20, path.display());
        println!(
            "{path}: {size} MiB would be made of {}",
            archive.file.display()
        );
        return Ok(None);
    }
    consent(args.accept_firmware_licence)?;
    let versions = match args.update {
        true => Versions::Newest,
        false => Versions::Kept,
    };
    let (base, firmware) = (Base::get(versions)?, packages::firmware(versions)?);
    let work = Scratch::beside(&path)?;
    let (software, documents) = unpack(&archive, &work.path, &root)?;
    let ingredients = Ingredients {
        boot,
        base: &base,
        firmware: Some(&firmware),
        software: &software,
        origin: &archive.record(),
        documents,
        data: data.unwrap_or_default(),
    };
    for record in base.records().chain([firmware.record.as_str()]) {
        println!("{record}");
    }
    let new = image::write(&work.path.join("new.img"), &ingredients)?;
    fs::rename(&new.path, &path).with_context(|| path.display().to_string())?;
    let image = Image::open(&path)?;
    let hash = sha256::hex(&fs::read(&path)?);
    println!(
        "{}: {} MiB, SHA-256 {hash}",
        path.display(),
        image.bytes >> 20
    );
    Ok(Some(image))
}

/// The firmware is not free software: whoever makes a card says that they know.
fn consent(given: bool) -> Result<()> {
    if given {
        return Ok(());
    }
    let (package, component) = (packages::FIRMWARE, packages::FIRMWARE_COMPONENT);
    let about = format!(
        "A Pi starts with firmware that is not free software: Debian's package {package}, from its section {component}.\n\
         It may be used and passed on unchanged, for Raspberry Pi devices only; the licence lies on the card as\n\
         licence-{package}.txt."
    );
    ensure!(
        std::io::stdin().is_terminal(),
        "{about}\nTo accept that, say --accept-firmware-licence"
    );
    print!("{about}\nType yes to accept: ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    ensure!(
        answer.trim() == "yes",
        "the firmware's licence was not accepted"
    );
    Ok(())
}

/// What an archive of `dist` holds, and the documents that go with it.
fn unpack(archive: &Archive, work: &Path, root: &Path) -> Result<(Software, Files)> {
    let folder = work.join("archive");
    fs::create_dir_all(&folder)?;
    process::run(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive.file)
            .arg("--strip-components=1")
            .arg("-C")
            .arg(&folder),
    )?;
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read(&file).with_context(|| format!("{}: no {name} in it", archive.file.display()))
    };
    let software = Software {
        program: read("bin/ocellus")?,
        profile: read("share/ocellus/board.toml")?,
        picture: picture(root)?,
    };
    let documents = image::files_in(&folder.join("share/doc/ocellus"))?;
    let below = |(name, text)| (format!("ocellus-{name}"), text);
    Ok((software, documents.into_iter().map(below).collect()))
}

/// A photo to begin with.
fn picture(root: &Path) -> Result<Vec<u8>> {
    let file = root.join("tests/data/photos/chelsea.jpg");
    fs::read(&file).with_context(|| file.display().to_string())
}

/// Puts an image on a card.
fn put(image: &Image, card: &Card, dry_run: bool) -> Result<()> {
    let (from, to) = (image.path.display(), card.device.display());
    let size = image.bytes >> 20;
    if dry_run {
        println!("{to}: {size} MiB of {from} would be written and read back");
        return Ok(());
    }
    println!("{to}: writing {size} MiB and reading them back");
    write::write(image, &card.device)?;
    println!("{to}: written and read back; it can be taken out");
    Ok(())
}
