//! Booting an image in QEMU: labels on the serial console, and then the machine powers off.
//!
//! Kernel and first file system are read out of the image, as the Pi's firmware would, and the machine gets the image as
//! its disk or card. Afterwards it must hold the same bytes: an appliance writes nothing. `virt` has a camera (the
//! kernel's virtual one) and pins (a PL061); `raspi3b` is a Pi 3 with its own card reader, watchdog and device tree.
//!
//! Limits: emulated time is no board's time, so that what is printed of it is not compared with anything. The Pi's
//! firmware does not run: QEMU stands in for it.

use super::boards::{self, Boot};
use super::cpio::Archive;
use super::disk::{Files, Image};
use super::image::{self, Ingredients};
use super::initramfs::{self, Software};
use super::modules::Modules;
use super::packages::{Base, Versions};
use crate::scratch::Scratch;
use crate::{process, repo, sha256};
use anyhow::{Context, Result, bail, ensure};
use ocellus_boards::Profile;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// An emulated machine.
#[derive(Clone, Copy, PartialEq)]
pub enum Machine {
    /// A machine that QEMU made up, with the cores of a Pi 4 and the memory of a Zero 2 W.
    Virt,
    /// A Raspberry Pi 3 Model B.
    Raspi3b,
}

/// What a boot may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(240);

/// Modules that only an emulated board has: a disk, and a camera of the kernel's own.
const VIRTUAL: [&str; 3] = ["virtio_mmio", "virtio_blk", "vivid"];

/// One camera with one picture, and nothing else of what the virtual driver can play.
const CAMERA: &str = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0";

impl Machine {
    /// All of them.
    pub const ALL: [Machine; 2] = [Machine::Virt, Machine::Raspi3b];

    /// What QEMU calls it.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Virt => "virt",
            Machine::Raspi3b => "raspi3b",
        }
    }

    /// Makes an image with a program for ARM, boots it, and checks what the console says.
    pub fn boot(self, program: &Path) -> Result<()> {
        let root = repo::root()?;
        let work = Scratch::beside(&program.with_file_name(format!("boot-{}", self.name())))?;
        let base = Base::get(Versions::Kept)?;
        let image = self.image(&base, program, &root, &work.path)?;
        let hash = sha256::hex(&fs::read(&image.path)?);
        let console = self.run(&base, &image, &work.path)?;
        self.check(&console)
            .with_context(|| format!("{}:\n{}", self.name(), console.text()))?;
        ensure!(
            sha256::hex(&fs::read(&image.path)?) == hash,
            "{}: something was written to the card",
            self.name()
        );
        println!("{}: {}", self.name(), console.timing());
        Ok(())
    }

    fn board(self) -> Result<&'static Profile> {
        Ok(Profile::find(match self {
            Machine::Virt => "rpi-4",
            Machine::Raspi3b => "rpi-3",
        })?)
    }

    fn image(self, base: &Base, program: &Path, root: &Path, work: &Path) -> Result<Image> {
        let board = self.board()?;
        // The memory of a small board is not for line numbers.
        let stripped = work.join("ocellus");
        process::run(
            Command::new("aarch64-linux-gnu-strip")
                .arg("-o")
                .args([&stripped, program]),
        )?;
        let profile = root.join(format!("boards/profiles/{}.toml", board.id));
        let software = Software {
            program: fs::read(&stripped)?,
            profile: fs::read(&profile).with_context(|| profile.display().to_string())?,
            picture: super::picture(root)?,
        };
        let ingredients = Ingredients {
            boot: Boot::of(board)?,
            base,
            firmware: None,
            software: &software,
            origin: "of a test",
            documents: Files::new(),
            data: Files::new(),
        };
        image::write(&work.join("card.img"), &ingredients)
    }

    fn run(self, base: &Base, image: &Image, work: &Path) -> Result<Console> {
        let kernel = work.join("kernel");
        fs::write(&kernel, image.boot_file(boards::KERNEL)?)?;
        let mut memory = image.boot_file(boards::INITRAMFS)?;
        if self == Machine::Virt {
            memory.extend(self.virtual_modules(base)?);
        }
        let initrd = work.join("initrd");
        fs::write(&initrd, memory)?;
        let mut qemu = Command::new("qemu-system-aarch64");
        qemu.args(["-nodefaults", "-display", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(&kernel).arg("-initrd").arg(&initrd);
        let card = image.path.display();
        let words = match self {
            Machine::Virt => {
                qemu.args(["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512"]);
                qemu.args(["-serial", "stdio"]);
                qemu.arg("-drive")
                    .arg(format!("if=none,id=card,format=raw,file={card}"));
                qemu.args(["-device", "virtio-blk-device,drive=card"]);
                "console=ttyAMA0"
            }
            Machine::Raspi3b => {
                // The second port is the one that the console is on.
                qemu.args(["-M", "raspi3b", "-serial", "null", "-serial", "stdio"]);
                qemu.arg("-drive")
                    .arg(format!("if=sd,format=raw,file={card}"));
                let tree = work.join("tree.dtb");
                fs::write(&tree, image.boot_file("bcm2837-rpi-3-b.dtb")?)?;
                qemu.arg("-dtb").arg(&tree);
                // This watchdog bites at once where a board's counts.
                "console=ttyS1 ocellus.watchdog=no"
            }
        };
        qemu.arg("-append").arg(format!(
            "{words} quiet loglevel=4 panic=-1 ocellus.answers=1"
        ));
        Console::of(&mut qemu)
    }

    /// What the kernel unpacks over the image's own first file system.
    fn virtual_modules(self, base: &Base) -> Result<Vec<u8>> {
        let kernel = Modules::of(&base.kernel.root)?;
        let board = Boot::of(self.board()?)?.modules();
        let there = kernel.with_dependencies(&board)?;
        let mut all = kernel.with_dependencies(&[&board[..], &VIRTUAL[..]].concat())?;
        all.retain(|(name, _)| !there.iter().any(|(other, _)| other == name));
        let mut archive = Archive::default();
        initramfs::add_modules(&mut archive, "20-virtual", &all, |name| match name {
            "vivid.ko" => CAMERA,
            _ => "",
        });
        Ok(archive.finish())
    }

    /// What must stand on the console.
    fn check(self, console: &Console) -> Result<()> {
        let devices = match self {
            Machine::Virt => "cameras: /dev/video0; pins: /dev/gpiochip0; linux,dummy-virt",
            Machine::Raspi3b => {
                "cameras:; pins: /dev/gpiochip0 /dev/gpiochip1; Raspberry Pi 3 Model B"
            }
        };
        for expected in [devices, "first answer ", "1 answers: powering off"] {
            ensure!(console.has(expected), "expected: {expected}");
        }
        for trouble in [
            "cannot ",
            "no partition",
            "not understood",
            "no answer in",
            "ended with",
        ] {
            ensure!(!console.says(trouble), "not expected: {trouble}");
        }
        let answer = console.answer().context("expected an answer in JSON")?;
        let best = answer["labels"][0]["label"].as_str();
        ensure!(best == Some("a cat"), "expected a cat, got {best:?}");
        Ok(())
    }
}

/// What a machine wrote to its serial port before it powered off, each line with when it came.
struct Console {
    lines: Vec<(Duration, String)>,
    took: Duration,
}

impl Console {
    /// Runs a machine until it powers off.
    fn of(qemu: &mut Command) -> Result<Console> {
        eprintln!("$ {}", process::line(qemu));
        let start = Instant::now();
        let mut machine = qemu
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start qemu-system-aarch64; `cargo xtask setup` installs it")?;
        let serial = machine.stdout.take().context("QEMU has no output")?;
        let (to, from) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(serial).split(b'\n').map_while(Result::ok);
            for line in lines {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if to.send((start.elapsed(), line)).is_err() {
                    return;
                }
            }
        });
        let mut lines: Vec<(Duration, String)> = Vec::new();
        loop {
            match from.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    machine.kill()?;
                    machine.wait()?;
                    let took = start.elapsed();
                    let text = Console { lines, took }.text();
                    bail!("it did not power off in {} s:\n{text}", LIMIT.as_secs());
                }
            }
        }
        let status = machine.wait()?;
        let took = start.elapsed();
        let console = Console { lines, took };
        ensure!(
            status.success(),
            "QEMU failed ({status}):\n{}",
            console.text()
        );
        Ok(console)
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|(_, line)| line.as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|(_, line)| line.contains(text))
    }

    /// Whether the first program says this; the kernel may.
    fn says(&self, text: &str) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|(_, line)| line.starts_with("ocellus: ") && line.contains(text))
    }

    fn first_answer(&self) -> Option<(Duration, Value)> {
        self.lines.iter().find_map(|(at, line)| {
            let answer: Value = serde_json::from_str(line).ok()?;
            answer["labels"].is_array().then_some((*at, answer))
        })
    }

    fn answer(&self) -> Option<Value> {
        Some(self.first_answer()?.1)
    }

    fn timing(&self) -> String {
        let first = self.first_answer().map_or(self.took, |(at, _)| at);
        format!(
            "first label {:.1} s after the start of the emulated machine, off after {:.1} s",
            first.as_secs_f64(),
            self.took.as_secs_f64()
        )
    }
}
