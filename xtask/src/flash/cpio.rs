//! An archive that the kernel unpacks into memory before it starts the first program (cpio, format newc).
//!
//! Owners are root, times are zero and inodes are counted: the same entries give the same bytes. The format is the
//! kernel's own: Documentation/driver-api/early-userspace/buffer-format.rst.

use std::io::Write;

/// An archive that is being written.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// The kinds of entries, as the high bits of a mode have them.
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const DEVICE: u32 = 0o020_000;

impl Archive {
    /// Adds a folder; what lies in it comes after it.
    pub fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER | 0o755, (0, 0), &[]);
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE | 0o644, (0, 0), content);
    }

    /// Adds a program.
    pub fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE | 0o755, (0, 0), content);
    }

    /// Adds a character device by its numbers.
    pub fn device(&mut self, path: &str, numbers: (u32, u32)) {
        self.entry(path, DEVICE | 0o600, numbers, &[]);
    }

    /// The finished archive. The kernel takes several, one behind the other.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.pad(512);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a file of an image is below 4 GiB");
        let name = u32::try_from(path.len() + 1).expect("a path is short");
        let links = 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            device.0,
            device.1,
            name,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            write!(self.bytes, "{field:08X}").expect("memory takes it");
        }
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend(content);
        self.pad(4);
    }

    fn pad(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_header_a_name_and_the_content() {
        let mut archive = Archive::default();
        archive.program("bin/x", b"abcde");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 512, 0);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(&text[..22], "07070100000001000081ED");
        // 110 bytes of header and a name of 6 end on a multiple of 4.
        assert_eq!(&text[110..116], "bin/x\0");
        assert_eq!(&text[116..124], "abcde\0\0\0");
        assert_eq!(&text[124..130], "070701");
        assert!(text.contains("TRAILER!!!"));
    }

    #[test]
    fn the_same_entries_are_the_same_bytes() {
        let made = || {
            let mut archive = Archive::default();
            archive.folder("dev");
            archive.device("dev/console", (5, 1));
            archive.finish()
        };
        assert_eq!(made(), made());
    }
}
