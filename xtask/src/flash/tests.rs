//! What a card must be like to be overwritten, on machines that are described and not there.

use super::card::Refusal;
use super::disk::{BadImage, Files};
use super::*;
use crate::Cli;
use clap::Parser;
use std::os::unix::fs::symlink;

/// A machine's `/sys`, `/proc` and `/dev`, as folders of plain files.
struct Machine {
    scratch: Scratch,
}

impl Machine {
    fn new(name: &str) -> Machine {
        let name = format!("ocellus-flash-{name}");
        let scratch = Scratch::beside(&std::env::temp_dir().join(name)).unwrap();
        for folder in ["sys/class/block", "dev", "proc/self"] {
            fs::create_dir_all(scratch.path.join(folder)).unwrap();
        }
        let machine = Machine { scratch };
        machine.write("proc/swaps", "Filename Type Size Used Priority\n");
        machine.write("proc/self/mountinfo", "");
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch.path.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk with one partition, as the kernel describes it.
    fn disk(&self, name: &str, numbers: &str, facts: &[(&str, &str)]) {
        let defaults = [
            ("removable", "1"),
            ("ro", "0"),
            ("size", "62521344"),
            ("device/vendor", "Generic "),
            ("device/model", "SD/MMC CRW      "),
        ];
        let folder = format!("sys/devices/usb/{name}");
        for (file, text) in defaults.iter().chain(facts) {
            self.write(&format!("{folder}/{file}"), &format!("{text}\n"));
        }
        self.write(&format!("{folder}/dev"), &format!("{numbers}:0\n"));
        let part = format!("{name}1");
        self.write(&format!("{folder}/{part}/partition"), "1\n");
        self.write(&format!("{folder}/{part}/dev"), &format!("{numbers}:1\n"));
        for (name, target) in [
            (name.to_owned(), &folder),
            (part.clone(), &format!("{folder}/{part}")),
        ] {
            symlink(
                self.path(target),
                self.path(&format!("sys/class/block/{name}")),
            )
            .unwrap();
            self.write(&format!("dev/{name}"), "");
        }
    }

    fn mount(&self, numbers: &str, folder: &str, source: &str) {
        let line = format!("36 35 {numbers} / {folder} rw,relatime shared:1 - ext4 {source} rw\n");
        let table = self.path("proc/self/mountinfo");
        let before = fs::read_to_string(&table).unwrap();
        fs::write(table, before + &line).unwrap();
    }

    fn find(&self, name: &str) -> Result<Card, Refusal> {
        let system = System {
            sys: self.path("sys"),
            proc: self.path("proc"),
        };
        Card::find(&self.path(&format!("dev/{name}")), disk::BYTES, &system)
    }

    #[track_caller]
    fn refused(&self, name: &str, why: &str) -> Refusal {
        let refusal = self.find(name).expect_err("it may be overwritten");
        let said = refusal.to_string();
        assert!(said.contains(why) && said.contains(name), "{said}");
        refusal
    }
}

#[test]
fn a_card_in_a_reader_is_shown_by_model_and_size() {
    let machine = Machine::new("card");
    machine.disk("sdb", "8", &[]);
    let card = machine.find("sdb").unwrap();
    assert_eq!(card.model, "Generic SD/MMC CRW");
    assert_eq!(card.size(), "32.0 GB");
    let bus = [
        ("removable", "0"),
        ("device/type", "SD"),
        ("device/name", "SC32G"),
    ];
    machine.disk("mmcblk0", "179", &bus);
    assert!(machine.find("mmcblk0").is_ok());
}

#[test]
fn the_disk_that_the_system_runs_from_is_refused_however_it_is_mounted() {
    let machine = Machine::new("system");
    machine.disk("sda", "8", &[]);
    machine.mount("8:1", "/", "/dev/sda1");
    let refusal = machine.refused("sda", "system's own disk");
    assert!(matches!(refusal, Refusal::SystemDisk { .. }));

    // Through a device of numbers that are its own, as btrfs has them.
    machine.disk("sdb", "9", &[]);
    machine.mount("0:31", "/home", "/dev/sdb1");
    machine.refused("sdb", "/home is on it");

    // Through an encrypted volume on a partition.
    machine.disk("sdc", "10", &[]);
    machine.write("sys/devices/virtual/dm-0/dev", "254:0\n");
    symlink(
        machine.path("sys/devices/virtual/dm-0"),
        machine.path("sys/class/block/dm-0"),
    )
    .unwrap();
    machine.write("sys/devices/usb/sdc/sdc1/holders/dm-0/x", "");
    machine.mount("254:0", "/usr", "/dev/mapper/system");
    machine.refused("sdc", "/usr is on it");
}

#[test]
fn what_cannot_be_taken_out_is_refused() {
    let machine = Machine::new("fixed");
    machine.disk(
        "sda",
        "8",
        &[("removable", "0"), ("device/model", "SSD 990")],
    );
    machine.refused("sda", "SSD 990): not removable");
    let soldered = [("removable", "0"), ("device/type", "MMC")];
    machine.disk("mmcblk1", "179", &soldered);
    machine.refused("mmcblk1", "not removable");
}

#[test]
fn a_card_in_use_is_refused_with_what_ends_that() {
    let machine = Machine::new("mounted");
    machine.disk("sdb", "8", &[]);
    machine.mount("8:1", "/media/my\\040card", "/dev/sdb1");
    machine.refused("sdb", "`umount /media/my card` first");
    machine.disk("sdc", "9", &[]);
    machine.write("proc/swaps", "Filename\n/dev/sdc1 partition 100 0 -2\n");
    machine.refused("sdc", "`swapoff /dev/sdc1` first");
    machine.disk("sdd", "10", &[]);
    machine.write("sys/devices/usb/sdd/sdd1/holders/md0/x", "");
    machine.refused("sdd", "close or stop md0 first");
}

#[test]
fn a_card_that_is_too_small_or_missing_or_locked_is_refused() {
    let machine = Machine::new("small");
    machine.disk("sdb", "8", &[("size", "131072")]);
    let refusal = machine.refused("sdb", "67108864 bytes, the image takes 268435456");
    assert!(matches!(
        refusal,
        Refusal::TooSmall {
            got: 67_108_864,
            ..
        }
    ));
    machine.disk("sdc", "9", &[("size", "0")]);
    machine.refused("sdc", "no card in it");
    machine.disk("sdd", "10", &[("ro", "1")]);
    machine.refused("sdd", "write-protected");
}

#[test]
fn a_partition_and_what_is_no_disk_are_refused() {
    let machine = Machine::new("part");
    machine.disk("sdb", "8", &[]);
    machine.refused("sdb1", "name the whole disk");
    machine.write("dev/tty0", "");
    machine.refused("tty0", "no disk");
    machine.refused("nothing", "no disk");
}

/// A small image, and a file that stands for a card.
fn image_and_card(name: &str) -> (Machine, Image, PathBuf) {
    let machine = Machine::new(name);
    let path = machine.path("small.img");
    let boot = Files::from([("config.txt".to_owned(), vec![7; 5 << 20])]);
    disk::write(&path, &boot, &Files::new()).unwrap();
    let card = machine.path("dev/card");
    let file = fs::File::create(&card).unwrap();
    file.set_len(disk::BYTES + (8 << 20)).unwrap();
    let image = Image::open(&path).unwrap();
    (machine, image, card)
}

#[test]
fn an_image_is_written_whole_and_no_further() {
    let (_machine, image, card) = image_and_card("write");
    fs::write(&card, vec![9; (disk::BYTES + 512) as usize]).unwrap();
    write::write(&image, &card).unwrap();
    let (written, expected) = (fs::read(&card).unwrap(), fs::read(&image.path).unwrap());
    let (start, rest) = written.split_at(expected.len());
    assert!(start == expected && rest == [9; 512]);
}

#[test]
fn a_dry_run_writes_nothing() {
    let (_machine, image, card) = image_and_card("dry");
    let card = Card {
        device: card,
        model: "x".into(),
        bytes: image.bytes,
    };
    put(&image, &card, true).unwrap();
    let first = fs::read(&card.device).unwrap()[..512].to_vec();
    assert_eq!(first, [0; 512]);
    put(&image, &card, false).unwrap();
    let first = fs::read(&card.device).unwrap()[..512].to_vec();
    assert_eq!(first[510..], [0x55, 0xaa]);
}

#[test]
fn a_call_says_what_is_written_where() {
    let parse = |line: &str| {
        let words = line.split_whitespace();
        Cli::try_parse_from(words)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    for good in [
        "xtask flash --board rpi4 --image out.img",
        "xtask flash --board rpi-3 --device /dev/sdx --yes",
        "xtask flash --from out.img --device /dev/sdx --dry-run",
    ] {
        assert_eq!(parse(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("xtask flash --board rpi-4", "--image"),
        ("xtask flash --image out.img", "--board"),
        ("xtask flash --from out.img", "--device"),
        ("xtask flash --board rpi-2 --image out.img", "rpi-zero-2-w"),
    ] {
        let error = parse(bad).unwrap_err();
        assert!(error.contains(why), "{bad}: {error}");
    }
}

#[test]
fn an_archive_of_dist_is_taken_apart() {
    let machine = Machine::new("archive");
    for (file, text) in [
        ("bin/ocellus", "program"),
        ("share/ocellus/board.toml", "profile"),
        ("share/doc/ocellus/NOTICE", "terms"),
    ] {
        machine.write(&format!("ocellus-1-rpi-4/{file}"), text);
    }
    let folder = machine.path("ocellus-1-rpi-4");
    crate::dist::archive(&folder, "1700000000").unwrap();
    crate::dist::sums(&machine.scratch.path).unwrap();
    let file = machine.path("ocellus-1-rpi-4.tar.gz");
    let board = Profile::find("rpi-4").unwrap();
    let root = repo::root().unwrap();
    let archive = Archive::of(Some(&file), board, &root).unwrap();
    assert!(archive.record().ends_with("  ocellus-1-rpi-4.tar.gz"));
    let (software, documents) = unpack(&archive, &machine.path("work"), &root).unwrap();
    assert_eq!(
        (&software.program[..], &software.profile[..]),
        (&b"program"[..], &b"profile"[..])
    );
    assert_eq!(documents["ocellus-NOTICE"], b"terms");

    // Whatever was done to it since is noticed.
    fs::write(&file, "something else").unwrap();
    assert!(Archive::of(Some(&file), board, &root).is_err());
}

#[test]
fn the_owner_s_files_lie_beside_each_other() {
    let machine = Machine::new("owner");
    machine.write("mine/labels.txt", "a fox");
    let files = image::files_in(&machine.path("mine")).unwrap();
    assert_eq!(files["labels.txt"], b"a fox");
    machine.write("mine/pictures/fox.jpg", "x");
    let error = image::files_in(&machine.path("mine")).unwrap_err();
    assert!(
        error.to_string().contains("pictures: a folder"),
        "{error:#}"
    );
    assert!(image::files_in(&machine.path("none")).is_err());
}

#[test]
fn what_is_no_image_is_not_written() {
    let machine = Machine::new("no-image");
    machine.write("notes.img", "not an image at all");
    let args = |line: &str| {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            args: Args,
        }
        Only::parse_from(line.split_whitespace()).args
    };
    let line = format!(
        "flash --from {} --device /dev/null",
        machine.path("notes.img").display()
    );
    let error = run(&args(&line)).unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(BadImage::NoTable { .. })),
        "{error:#}"
    );
    let error = run(&args("flash --board rpi-5 --image x.img")).unwrap_err();
    assert!(
        error.to_string().contains("cargo xtask deploy"),
        "{error:#}"
    );
    // No disk of this machine, whoever runs the tests.
    let error = run(&args("flash --board rpi-4 --device /dev/null --yes")).unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(Refusal::NoDisk { .. })),
        "{error:#}"
    );
}
