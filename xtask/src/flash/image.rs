//! An image from what it is made of.

use super::boards::{self, Boot};
use super::disk::{self, Files, Image};
use super::initramfs::{self, Software};
use super::packages::{Base, Package};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// What an image is made of.
pub struct Ingredients<'a> {
    /// What the board needs to boot.
    pub boot: &'static Boot,
    /// Debian's packages.
    pub base: &'a Base,
    /// The Pi's first stages; an emulated machine has its own.
    pub firmware: Option<&'a Package>,
    /// What it runs.
    pub software: &'a Software,
    /// Where that comes from, for whoever finds the card.
    pub origin: &'a str,
    /// Its terms, by their names.
    pub documents: Files,
    /// What the owner's partition holds beside, or in place of, what it begins with.
    pub data: Files,
}

/// Writes an image.
pub fn write(path: &Path, of: &Ingredients) -> Result<Image> {
    let mut boot = Files::new();
    let mut contents = vec![of.origin];
    contents.extend(of.base.records());
    contents.extend(of.firmware.map(|firmware| firmware.record.as_str()));
    let contents = contents.join("\n") + "\n";
    let mut licences = of.base.copyrights()?;
    if let Some(firmware) = of.firmware {
        licences.push(firmware.copyright()?);
    }
    for (name, text) in licences {
        boot.insert(format!("licence-{name}"), text);
    }
    for (name, text) in &of.documents {
        boot.insert(format!("licence-{name}"), text.clone());
    }
    if let Some(firmware) = of.firmware {
        for name in of.boot.firmware {
            let file = firmware.read(&format!("usr/lib/raspi-firmware/{name}"))?;
            boot.insert((*name).to_owned(), file);
        }
    }
    for name in of.boot.device_trees {
        let tree = initramfs::device_tree(&of.base.kernel, name)?;
        boot.insert((*name).to_owned(), tree);
    }
    let memory = initramfs::build(of.base, of.boot, of.software)?;
    for (name, content) in [
        ("contents.txt", contents.into_bytes()),
        ("config.txt", of.boot.config().into_bytes()),
        ("cmdline.txt", boards::COMMAND_LINE.into()),
        (boards::KERNEL, initramfs::kernel(&of.base.kernel)?),
        (boards::INITRAMFS, memory),
    ] {
        boot.insert(name.to_owned(), content);
    }
    disk::write(path, &boot, &owners_files(of))?;
    Image::open(path)
}

/// What the owner's partition holds.
fn owners_files(of: &Ingredients) -> Files {
    let mut files = Files::new();
    for (name, text) in initramfs::DATA {
        // Some editors of other systems show a text without these as one line.
        let text = text.replace('\n', "\r\n");
        files.insert(name.to_owned(), text.into_bytes());
    }
    files.insert("picture.jpg".into(), of.software.picture.clone());
    files.extend(of.data.clone());
    files
}

/// The files of a folder, by their names.
pub fn files_in(folder: &Path) -> Result<Files> {
    let shown = folder.display();
    let mut files = Files::new();
    for entry in fs::read_dir(folder).with_context(|| shown.to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{}: not UTF-8", path.display()))?;
        ensure!(
            !path.is_dir(),
            "{}: a folder; a card takes files beside each other: move its files to {shown}",
            path.display()
        );
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        files.insert(name.to_owned(), content);
    }
    ensure!(!files.is_empty(), "{shown}: no files in it");
    Ok(files)
}
