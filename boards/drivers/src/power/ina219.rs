//! INA219: one supply, up to 26 V.

use super::{Draw, PowerError, Registers, shunt};
use embedded_hal::i2c::I2c;

const CONFIGURATION: u8 = 0x00;
const SHUNT_VOLTAGE: u8 = 0x01;
const BUS_VOLTAGE: u8 = 0x02;

/// 32 V, 320 mV over the shunt, the mean of 128 samples of each, without end: a new one every 136 ms.
const CONTINUOUS: u16 = 0x3fff;

const SHUNT_VOLTS: f32 = 10e-6;
const BUS_VOLTS: f32 = 4e-3;

/// The shunt register stops at 320 mV.
const LIMIT: i16 = 32_000;

/// An INA219. Its address is 0x40 to 0x4f, by two pins; that of most boards is 0x40, and their shunt 0.1 ohms.
#[derive(Debug)]
pub struct Ina219<B> {
    registers: Registers<B>,
    shunt_ohms: f32,
}

impl<B: I2c> Ina219<B> {
    /// Takes the bus and starts the part.
    ///
    /// # Errors
    /// The bus's; another part, which does not keep the configuration; a shunt that is no resistance.
    pub fn new(bus: B, address: u8, shunt_ohms: f32) -> Result<Ina219<B>, PowerError<B::Error>> {
        let shunt_ohms = shunt(shunt_ohms)?;
        let mut registers = Registers { bus, address };
        registers.write(CONFIGURATION, CONTINUOUS)?;
        let got = registers.read(CONFIGURATION)?;
        if got != CONTINUOUS {
            return Err(PowerError::OtherPart {
                part: "an INA219",
                register: CONFIGURATION,
                expected: CONTINUOUS,
                got,
            });
        }
        Ok(Ina219 {
            registers,
            shunt_ohms,
        })
    }

    /// What flows: the means of the last 136 ms.
    ///
    /// # Errors
    /// The bus's; more than the shunt can measure.
    pub fn read(&mut self) -> Result<Draw, PowerError<B::Error>> {
        let over_shunt = self.registers.read(SHUNT_VOLTAGE)? as i16;
        // Bits 15 to 3; those below are flags of a multiplication that is not used.
        let bus = self.registers.read(BUS_VOLTAGE)? >> 3;
        if over_shunt.unsigned_abs() >= LIMIT.unsigned_abs() {
            return Err(PowerError::OverRange {
                limit_amperes: f32::from(LIMIT) * SHUNT_VOLTS / self.shunt_ohms,
            });
        }
        Ok(Draw {
            volts: f32::from(bus) * BUS_VOLTS,
            amperes: f32::from(over_shunt) * SHUNT_VOLTS / self.shunt_ohms,
        })
    }

    /// Gives the bus back; the part goes on.
    pub fn release(self) -> B {
        self.registers.bus
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::{string::ToString, vec, vec::Vec};

    const ADDRESS: u8 = 0x40;

    fn start() -> Vec<Transaction> {
        vec![
            Transaction::write(ADDRESS, vec![0x00, 0x3f, 0xff]),
            Transaction::write_read(ADDRESS, vec![0x00], vec![0x3f, 0xff]),
        ]
    }

    /// What is read where the two registers hold these.
    fn read(shunt: u16, bus: u16) -> Result<Draw, PowerError<ErrorKind>> {
        let mut calls = start();
        for (register, value) in [(0x01, shunt), (0x02, bus)] {
            let bytes = value.to_be_bytes().to_vec();
            calls.push(Transaction::write_read(ADDRESS, vec![register], bytes));
        }
        let mut bus = Mock::new(&calls);
        let draw = Ina219::new(bus.clone(), ADDRESS, 0.1)
            .expect("a part")
            .read();
        bus.done();
        draw
    }

    #[test]
    fn registers_are_volts_and_amperes() {
        // The data sheet's example: 12 V, 20 mV over the shunt.
        let draw = read(2000, 0x5d98).expect("a draw");
        assert!((draw.volts - 11.98).abs() < 0.01, "{draw:?}");
        assert!((draw.amperes - 0.2).abs() < 1e-6, "{draw:?}");
        assert!((draw.watts() - 2.396).abs() < 0.01);
        let back = read((-2000_i16) as u16, 0x5d98).expect("a draw");
        assert!((back.amperes + 0.2).abs() < 1e-6);
    }

    #[test]
    fn more_than_can_be_measured_is_no_measurement() {
        for shunt in [32_000, (-32_000_i16) as u16] {
            let error = read(shunt, 0x5d98).expect_err("over the range");
            assert!(error.to_string().contains("3.200 A"), "{error}");
        }
    }

    #[test]
    fn another_part_no_part_and_no_shunt_are_told() {
        let mut calls = start();
        calls[1] = Transaction::write_read(ADDRESS, vec![0x00], vec![0x71, 0x27]);
        let mut bus = Mock::new(&calls);
        let error = Ina219::new(bus.clone(), ADDRESS, 0.1).expect_err("another part");
        assert!(error.to_string().contains("0x7127"), "{error}");
        bus.done();

        let silent = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let mut bus = Mock::new(&[start().remove(0).with_error(silent)]);
        let error = Ina219::new(bus.clone(), ADDRESS, 0.1).expect_err("nobody");
        assert_eq!(error, PowerError::Bus(silent));
        bus.done();

        let mut bus = Mock::new(&[]);
        for ohms in [0.0, -0.1, f32::NAN, f32::INFINITY] {
            assert!(matches!(
                Ina219::new(bus.clone(), ADDRESS, ohms),
                Err(PowerError::Shunt(_))
            ));
        }
        bus.done();
    }
}
