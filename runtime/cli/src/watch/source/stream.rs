//! Bytes of a file, a fifo or standard input, waited for without being stuck in the waiting.

use super::{SourceError, Wait, spec::Input};
use ocellus::sys::{Woken, open_without_waiting};
use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
};

/// Frames larger than this are refused: somebody's numbers are wrong.
pub const MOST_BYTES: usize = 1 << 29;

/// A stream of bytes.
pub struct Stream {
    name: String,
    file: File,
    /// Of a file, not a pipe: its length.
    length: Option<u64>,
}

/// What came of reading a number of bytes.
#[derive(Debug, PartialEq)]
pub enum Filled {
    /// All of them.
    Whole,
    /// The stream ended after so many.
    Ended(usize),
    /// The end was asked for.
    Stopped,
}

impl Stream {
    pub fn open(input: &Input) -> Result<Stream, SourceError> {
        let name = input.name();
        let system = |what, cause| SourceError::System {
            name: name.clone(),
            what,
            cause,
        };
        let file = match input {
            Input::File(path) => {
                open_without_waiting(path).map_err(|cause| system("open", cause))?
            }
            Input::Standard => {
                let standard = io::stdin().as_fd().try_clone_to_owned();
                File::from(standard.map_err(|cause| system("standard input", cause))?)
            }
        };
        let data = file.metadata().map_err(|cause| system("stat", cause))?;
        Ok(Stream {
            length: data.is_file().then_some(data.len()),
            name,
            file,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of a file, not a pipe: its length in bytes.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Fills a buffer.
    pub fn fill(&mut self, wait: &Wait<'_>, buffer: &mut [u8]) -> Result<Filled, SourceError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let woken = wait.until_ready(self.file.as_fd());
            if woken.map_err(|cause| self.refused("poll", cause))? == Woken::Stop {
                return Ok(Filled::Stopped);
            }
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => return Ok(Filled::Ended(filled)),
                Ok(bytes) => filled += bytes,
                Err(error)
                    if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted]
                        .contains(&error.kind()) => {}
                Err(cause) => return Err(self.refused("read", cause)),
            }
        }
        Ok(Filled::Whole)
    }

    fn refused(&self, what: &'static str, cause: io::Error) -> SourceError {
        SourceError::System {
            name: self.name.clone(),
            what,
            cause,
        }
    }
}

/// Memory for a frame of so many bytes.
pub fn memory(name: &str, bytes: Option<usize>) -> Result<Vec<u8>, SourceError> {
    match bytes.filter(|bytes| *bytes <= MOST_BYTES) {
        Some(bytes) => Ok(vec![0; bytes]),
        None => Err(SourceError::TooLarge {
            name: name.to_owned(),
            limit: MOST_BYTES,
            bytes: bytes.map_or_else(|| "more than can be counted".into(), |b| b.to_string()),
        }),
    }
}
