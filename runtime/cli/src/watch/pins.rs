//! Output pins of a board: lines of Linux's GPIO character devices, by number or by name.
//!
//! Limits: Linux keeps a line for one program at a time; what a line is when nobody has it is the driver's to say.

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin, PinState};
use gpiocdev::{chip::Chip, find_named_line, line::Value, request::Request};
use ocellus_drivers::Level;
use std::{fmt, path::Path, str::FromStr};

/// Where a line is looked for by its number, unless that is said.
const CHIP: &str = "/dev/gpiochip0";

/// The name under which other programs see who has a line.
const CONSUMER: &str = "ocellus";

/// A pin as a command line names it.
#[derive(Clone, Debug, PartialEq)]
pub struct PinName {
    line: Line,
    /// Which level means on.
    pub level: Level,
}

#[derive(Clone, Debug, PartialEq)]
enum Line {
    Number(u32),
    Name(String),
}

impl FromStr for PinName {
    type Err = String;

    fn from_str(text: &str) -> Result<PinName, String> {
        let (line, level) = match text.rsplit_once(':') {
            Some((line, "low")) => (line, Level::Low),
            Some((line, "high")) => (line, Level::High),
            _ => (text, Level::High),
        };
        let line = match line.parse() {
            Ok(number) => Line::Number(number),
            Err(_) if line.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                Line::Name(line.to_owned())
            }
            Err(_) => {
                return Err(format!(
                    "expected a line's number or name, and :low where low means on, such as 17, GPIO17 or 17:low, got \
                     {text:?}"
                ));
            }
        };
        Ok(PinName { line, level })
    }
}

impl fmt::Display for PinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Line::Number(number) => number.fmt(f),
            Line::Name(name) => name.fmt(f),
        }
    }
}

/// An output pin, or none where an alert is only told of.
pub enum Pin {
    /// A line that this program has.
    Line {
        /// The line, requested.
        request: Request,
        /// Its number.
        offset: u32,
    },
    /// None.
    None,
}

/// What is wrong with a pin. Its debug form is for people, for `embedded-hal` asks for no other.
pub struct PinError(String);

impl fmt::Debug for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PinError {}

impl Error for PinError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl Pin {
    /// Takes a line as an output that is off, on `chip` if one is given.
    ///
    /// # Errors
    /// No such chip or line, one that another program has, no permission.
    pub fn open(name: &PinName, chip: Option<&Path>) -> Result<Pin, PinError> {
        let refuse = |what: String| PinError(format!("--pin {name}: {what}"));
        let (path, offset) = match (&name.line, chip) {
            (Line::Name(line), None) => {
                let found = find_named_line(line).ok_or_else(|| {
                    refuse(
                        "expected a line of this name, got none on any chip; `gpioinfo` lists them"
                            .into(),
                    )
                })?;
                (found.chip, found.info.offset)
            }
            (line, chip) => {
                let path = chip.unwrap_or(Path::new(CHIP));
                let chip = |error| refuse(format!("chip {}: {error}", path.display()));
                let opened = Chip::from_path(path).map_err(chip)?;
                let lines = opened.info().map_err(chip)?.num_lines;
                let offset = match line {
                    Line::Number(number) => Some(*number).filter(|number| *number < lines),
                    Line::Name(name) => opened.find_line_info(name).map(|info| info.offset),
                };
                let offset = offset.ok_or_else(|| {
                    refuse(format!(
                        "expected a line of {}, which are 0 to {}; `gpioinfo` lists them",
                        path.display(),
                        lines.saturating_sub(1)
                    ))
                })?;
                (path.to_owned(), offset)
            }
        };
        let off = match name.level {
            Level::High => Value::Inactive,
            Level::Low => Value::Active,
        };
        let request = Request::builder()
            .on_chip(&path)
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_output(off)
            .request();
        let request = request.map_err(|error| {
            let path = path.display();
            refuse(format!(
                "line {offset} of {path}: {error}; another program has it, or the user is not in the group gpio"
            ))
        })?;
        Ok(Pin::Line { request, offset })
    }
}

impl ErrorType for Pin {
    type Error = PinError;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), PinError> {
        self.set_state(PinState::Low)
    }

    fn set_high(&mut self) -> Result<(), PinError> {
        self.set_state(PinState::High)
    }

    fn set_state(&mut self, state: PinState) -> Result<(), PinError> {
        let Pin::Line { request, offset } = self else {
            return Ok(());
        };
        let value = match state {
            PinState::Low => Value::Inactive,
            PinState::High => Value::Active,
        };
        let set = request.set_value(*offset, value);
        set.map_err(|error| PinError(format!("line {offset}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_a_number_or_a_name_and_a_level() {
        let of = |text: &str| text.parse::<PinName>().expect(text);
        assert_eq!(of("17").line, Line::Number(17));
        assert_eq!(of("17:low").level, Level::Low);
        assert_eq!(of("GPIO17:high"), of("GPIO17"));
        for wrong in ["", "-1", ":low", "17:on", "99999999999"] {
            let error = wrong.parse::<PinName>().expect_err(wrong);
            assert!(error.contains("17:low"), "{error}");
        }
    }

    #[test]
    fn what_is_no_chip_is_refused_by_its_name() {
        let name: PinName = "17".parse().expect("a pin");
        for chip in ["/dev/no-gpiochip", "/dev/null"] {
            let error = Pin::open(&name, Some(Path::new(chip)))
                .err()
                .expect("no chip");
            let message = error.to_string();
            assert!(
                message.contains("--pin 17") && message.contains(chip),
                "{message}"
            );
        }
    }
}
