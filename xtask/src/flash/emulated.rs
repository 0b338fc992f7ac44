//! Booting images in QEMU: labels on the serial console, and then the machine powers off.
//!
//! Kernel and first file system are read out of the image, as the Pi's firmware would, and the machine gets the image as
//! its disk or card. Afterwards it must hold the same bytes: an appliance writes nothing. `virt` has a camera (the
//! kernel's virtual one) and pins (a PL061); `raspi3b` is a Pi 3 with its own card reader and device tree; a third boot
//! runs a played `ocellus` that ends, hangs, and has to wait for its camera.
//!
//! Limits: emulated time is no board's time, so that what is printed of it is not compared with anything. QEMU stands in
//! for the Pi's firmware, and its Pi's watchdog does not wait: `virt` has another one.

use super::boards::{self, Boot};
use super::console::Console;
use super::cpio::Archive;
use super::disk::{Files, Image};
use super::image::{self, Ingredients};
use super::initramfs::{self, Software};
use super::modules::Modules;
use super::packages::{Base, Versions};
use crate::scratch::Scratch;
use crate::{process, repo, sha256};
use anyhow::{Context, Result, ensure};
use ocellus_boards::Profile;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is booted, and on what.
#[derive(Clone, Copy, PartialEq)]
enum Trial {
    /// The program, on a machine that QEMU made up, with a Pi 4's cores and a Zero 2 W's memory.
    Virt,
    /// The program, on a Raspberry Pi 3 Model B.
    Raspi3b,
    /// What befalls the program, on the former.
    Played,
}

/// Modules that only an emulated board has, with their parameters: a disk; a camera of the kernel's own with one picture,
/// and nothing else that its driver can play; a watchdog, for a shorter time than the played boot takes.
const VIRTUAL: [(&str, &str); 4] = [
    ("virtio_mmio", ""),
    ("virtio_blk", ""),
    (
        "vivid",
        "n_devs=1 node_types=0x1 num_inputs=1 input_types=0",
    ),
    ("i6300esb", "heartbeat=20"),
];

/// It ends, then it hangs after an answer, then it answers with what it was told.
const PLAYED: &str = r#"#!/bin/busybox sh
echo >>/run/started
case $(wc -l </run/started) in
1) exit 3 ;;
2) echo '{"labels":[{"label":"first"}]}' ;;
*) echo "{\"labels\":[{\"label\":\"told $*\"}]}" ;;
esac
sleep 1000
"#;

/// Its camera comes late.
const LATE: &str = "#!/bin/busybox sh\nsleep 6\n: >/dev/video9\n";

/// Its owner's settings, as Windows writes them.
const PLAYED_SETTINGS: &str = "# mine\r\nsource=/dev/video9\r\n\r\non=a cat>0.6\r\npin=17\r\npatience=5\r\n\
    colour=red\r\nanswers=2";

/// The owner's settings where the program watches: any picture will do for its pin.
const WATCHED_SETTINGS: &str = "on=a cat>0.000001\npin=3\n";

/// Says what the program's pin gives, whenever it changes.
const PINS: &str = r#"#!/bin/busybox sh
mount -t debugfs debugfs /sys/kernel/debug
while :; do
    now=$(grep ocellus /sys/kernel/debug/gpio)
    [ "$now" = "$was" ] || echo "pin: $now"
    was=$now
    usleep 50000
done
"#;

/// Makes images with a program for ARM and boots them, all at once: each waits a lot.
pub fn boot(program: &Path) -> Result<()> {
    let base = &Base::get(Versions::Kept)?;
    let trials = [Trial::Virt, Trial::Raspi3b, Trial::Played];
    std::thread::scope(|scope| {
        let boots = trials.map(|trial| scope.spawn(move || trial.boot(base, program)));
        let results = boots.map(|boot| boot.join().expect("a boot panics nowhere"));
        // The first error is as good as another; whoever repairs it sees the next.
        results.into_iter().collect()
    })
}

impl Trial {
    fn boot(self, base: &Base, program: &Path) -> Result<()> {
        let name = self.name();
        let root = repo::root()?;
        let work = Scratch::beside(&program.with_file_name(format!("boot-{name}")))?;
        let image = self.image(base, program, &root, &work.path)?;
        let hash = || Ok::<_, anyhow::Error>(sha256::hex(&fs::read(&image.path)?));
        let before = hash()?;
        let console = self.run(base, &image, &work.path)?;
        let checked = self.check(&console);
        checked.with_context(|| format!("{name}:\n{}", console.text()))?;
        ensure!(
            before == hash()?,
            "{name}: something was written to the card"
        );
        println!("{name}: {}", console.timing());
        Ok(())
    }

    fn name(self) -> &'static str {
        match self {
            Trial::Virt => "virt",
            Trial::Raspi3b => "raspi3b",
            Trial::Played => "played",
        }
    }

    fn board(self) -> Result<&'static Profile> {
        Ok(Profile::find(match self {
            Trial::Raspi3b => "rpi-3",
            Trial::Virt | Trial::Played => "rpi-4",
        })?)
    }

    fn image(self, base: &Base, program: &Path, root: &Path, work: &Path) -> Result<Image> {
        let board = self.board()?;
        let (program, data) = match self {
            Trial::Played => {
                let settings = ("ocellus.conf".to_owned(), PLAYED_SETTINGS.into());
                (PLAYED.into(), Files::from([settings]))
            }
            Trial::Virt => {
                let settings = ("ocellus.conf".to_owned(), WATCHED_SETTINGS.into());
                (stripped(program, work)?, Files::from([settings]))
            }
            Trial::Raspi3b => (stripped(program, work)?, Files::new()),
        };
        let profile = root.join(format!("boards/profiles/{}.toml", board.id));
        let software = Software {
            program,
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
            data,
        };
        image::write(&work.join("card.img"), &ingredients)
    }

    fn run(self, base: &Base, image: &Image, work: &Path) -> Result<Console> {
        let kernel = work.join("kernel");
        fs::write(&kernel, image.boot_file(boards::KERNEL)?)?;
        let mut memory = image.boot_file(boards::INITRAMFS)?;
        if self != Trial::Raspi3b {
            memory.extend(self.virtual_modules(base)?);
        }
        let initrd = work.join("initrd");
        fs::write(&initrd, memory)?;
        let mut qemu = Command::new("qemu-system-aarch64");
        qemu.args(["-nodefaults", "-display", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(&kernel).arg("-initrd").arg(&initrd);
        let card = format!("format=raw,file={}", image.path.display());
        if self == Trial::Raspi3b {
            // The console is on the second port.
            qemu.args(["-M", "raspi3b", "-serial", "null", "-serial", "stdio"]);
            qemu.arg("-drive").arg(format!("if=sd,{card}"));
            let tree = work.join("tree.dtb");
            fs::write(&tree, image.boot_file("bcm2837-rpi-3-b.dtb")?)?;
            qemu.arg("-dtb").arg(&tree);
        } else {
            qemu.args(["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512"]);
            qemu.args([
                "-serial",
                "stdio",
                "-device",
                "virtio-blk-device,drive=card",
            ]);
            qemu.arg("-drive").arg(format!("if=none,id=card,{card}"));
            if self == Trial::Played {
                qemu.args(["-device", "i6300esb"]);
            }
        }
        let words = match self {
            Trial::Virt => "console=ttyAMA0 ocellus.answers=3",
            // This watchdog bites at once where a board's counts.
            Trial::Raspi3b => {
                "console=ttyS1 ocellus.answers=1 ocellus.source=. ocellus.watchdog=no"
            }
            Trial::Played => "console=ttyAMA0",
        };
        let words = format!("{words} quiet loglevel=4 panic=-1");
        Console::of(qemu.arg("-append").arg(words))
    }

    /// What the kernel unpacks over the image's own first file system.
    fn virtual_modules(self, base: &Base) -> Result<Vec<u8>> {
        let kernel = Modules::of(&base.kernel.root)?;
        let board = Boot::of(self.board()?)?.modules();
        let there = kernel.with_dependencies(&board)?;
        let names = VIRTUAL.map(|(name, _)| name);
        let mut all = kernel.with_dependencies(&[&board[..], &names[..]].concat())?;
        all.retain(|(name, _)| !there.iter().any(|(other, _)| other == name));
        let mut archive = Archive::default();
        initramfs::add_modules(&mut archive, "20-virtual", &all, |file| {
            let found = VIRTUAL
                .iter()
                .find(|(name, _)| file == format!("{name}.ko"));
            found.map_or("", |(_, parameters)| parameters)
        });
        let beside = match self {
            Trial::Played => LATE,
            _ => PINS,
        };
        archive.program("etc/beside", beside.as_bytes());
        Ok(archive.finish())
    }

    /// What must stand on the console, and what must not.
    fn check(self, console: &Console) -> Result<()> {
        let expected: &[&str] = match self {
            Trial::Virt => &[
                "cameras: /dev/video0; pins: /dev/gpiochip0; linux,dummy-virt",
                "\"image\":\"/dev/video0\"",
                "3 answers: powering off",
            ],
            Trial::Raspi3b => &[
                "cameras:; pins: /dev/gpiochip0 /dev/gpiochip1; Raspberry Pi 3 Model B",
                "1 answers: powering off",
            ],
            Trial::Played => &[
                "ocellus.conf: not understood: colour=red",
                "waiting for /dev/video9",
                "found /dev/video9",
                "ended with exit code 3",
                "no answer in 5 s: starting ocellus again",
                "told watch --source /dev/video9 --labels-file labels.txt --json --on=a cat>0.6 --pin=17",
                "2 answers: powering off",
            ],
        };
        for expected in expected.iter().chain(&["first answer "]) {
            ensure!(console.has(expected), "expected: {expected}");
        }
        let trouble: &[&str] = match self {
            Trial::Played => &["cannot ", "no partition", "no watchdog"],
            _ => &[
                "cannot ",
                "no partition",
                "not understood",
                "no answer in",
                "ended with",
            ],
        };
        for trouble in trouble {
            ensure!(!console.says(trouble), "not expected: {trouble}");
        }
        if self == Trial::Virt {
            let levels = console.after("pin: ");
            let levels: Vec<&str> = levels
                .iter()
                .filter_map(|line| line.split_once(") out ").map(|(_, level)| level))
                .collect();
            ensure!(levels == ["lo", "hi"], "the pin was {levels:?}");
        }
        let label = console.best_label();
        let label = label.context("expected an answer in JSON")?;
        let is_expected = match self {
            // Colour bars are none of the labels.
            Trial::Virt => !label.is_empty(),
            Trial::Raspi3b => label == "a cat",
            Trial::Played => label == "first",
        };
        ensure!(is_expected, "another label is best: {label}");
        Ok(())
    }
}

/// The program without its line numbers, which are not for a small board's memory.
fn stripped(program: &Path, work: &Path) -> Result<Vec<u8>> {
    let stripped = work.join("ocellus");
    process::run(
        Command::new("aarch64-linux-gnu-strip")
            .arg("-o")
            .args([&stripped, program]),
    )?;
    Ok(fs::read(&stripped)?)
}
