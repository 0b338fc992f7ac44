//! INA3221: three supplies, up to 26 V; it is on every Jetson.

use super::{Draw, PowerError, Registers, shunt};
use embedded_hal::i2c::I2c;

const CONFIGURATION: u8 = 0x00;
const SHUNT_VOLTAGE: u8 = 0x01;
const BUS_VOLTAGE: u8 = 0x02;
const DIE: u8 = 0xff;

/// What the die register holds.
const DIE_IS: u16 = 0x3220;

/// All channels, the mean of 16 samples of 1.1 ms each, without end: a new one every 106 ms.
const CONTINUOUS: u16 = 0x7527;

const SHUNT_VOLTS: f32 = 40e-6;
const BUS_VOLTS: f32 = 8e-3;

/// The shunt register stops at 163.8 mV.
const LIMIT: i16 = 4095;

/// One of the three supplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The first.
    One,
    /// The second.
    Two,
    /// The third.
    Three,
}

/// An INA3221. Its address is 0x40 to 0x43, by a pin. Where the kernel drives it, as on a Jetson, it is read by the board's
/// profile, and not by two masters at once.
#[derive(Debug)]
pub struct Ina3221<B> {
    registers: Registers<B>,
    shunt_ohms: [f32; 3],
}

impl<B: I2c> Ina3221<B> {
    /// Takes the bus and starts the part, with the shunts of its channels.
    ///
    /// # Errors
    /// The bus's; another part; a shunt that is no resistance.
    pub fn new(
        bus: B,
        address: u8,
        shunt_ohms: [f32; 3],
    ) -> Result<Ina3221<B>, PowerError<B::Error>> {
        for ohms in shunt_ohms {
            shunt(ohms)?;
        }
        let mut registers = Registers { bus, address };
        let got = registers.read(DIE)?;
        if got != DIE_IS {
            return Err(PowerError::OtherPart {
                part: "an INA3221",
                register: DIE,
                expected: DIE_IS,
                got,
            });
        }
        registers.write(CONFIGURATION, CONTINUOUS)?;
        Ok(Ina3221 {
            registers,
            shunt_ohms,
        })
    }

    /// What flows through a channel: the means of the last 106 ms.
    ///
    /// # Errors
    /// The bus's; more than the shunt can measure.
    pub fn read(&mut self, channel: Channel) -> Result<Draw, PowerError<B::Error>> {
        let index = channel as u8;
        let shunt_ohms = self.shunt_ohms[usize::from(index)];
        // Both are signed, in bits 15 to 3.
        let over_shunt = self.registers.read(SHUNT_VOLTAGE + 2 * index)? as i16 >> 3;
        let bus = self.registers.read(BUS_VOLTAGE + 2 * index)? as i16 >> 3;
        if over_shunt.unsigned_abs() >= LIMIT.unsigned_abs() {
            return Err(PowerError::OverRange {
                limit_amperes: f32::from(LIMIT) * SHUNT_VOLTS / shunt_ohms,
            });
        }
        Ok(Draw {
            volts: f32::from(bus) * BUS_VOLTS,
            amperes: f32::from(over_shunt) * SHUNT_VOLTS / shunt_ohms,
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
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::{string::ToString, vec, vec::Vec};

    const ADDRESS: u8 = 0x41;

    fn start() -> Vec<Transaction> {
        vec![
            Transaction::write_read(ADDRESS, vec![0xff], vec![0x32, 0x20]),
            Transaction::write(ADDRESS, vec![0x00, 0x75, 0x27]),
        ]
    }

    #[test]
    fn each_channel_has_its_registers_and_its_shunt() {
        let mut calls = start();
        // 5 V and 10 mV, 3.304 V and 1 mV back, 12 V and nothing.
        for (register, value) in [
            (0x01, 250_i16 << 3),
            (0x02, 625 << 3),
            (0x03, -25 << 3),
            (0x04, 413 << 3),
            (0x05, 0),
            (0x06, 1500 << 3),
        ] {
            let bytes = value.to_be_bytes().to_vec();
            calls.push(Transaction::write_read(ADDRESS, vec![register], bytes));
        }
        let mut bus = Mock::new(&calls);
        let mut part = Ina3221::new(bus.clone(), ADDRESS, [0.005, 0.01, 0.1]).expect("a part");
        for (channel, volts, amperes) in [
            (Channel::One, 5.0, 2.0),
            (Channel::Two, 3.304, -0.1),
            (Channel::Three, 12.0, 0.0),
        ] {
            let draw = part.read(channel).expect("a draw");
            assert!((draw.volts - volts).abs() < 1e-4, "{channel:?}: {draw:?}");
            assert!(
                (draw.amperes - amperes).abs() < 1e-4,
                "{channel:?}: {draw:?}"
            );
        }
        bus.done();
    }

    #[test]
    fn more_than_can_be_measured_and_another_part_are_told() {
        let mut calls = start();
        for (register, value) in [(0x01, 4095_i16 << 3), (0x02, 625 << 3)] {
            let bytes = value.to_be_bytes().to_vec();
            calls.push(Transaction::write_read(ADDRESS, vec![register], bytes));
        }
        let mut bus = Mock::new(&calls);
        let mut part = Ina3221::new(bus.clone(), ADDRESS, [0.1; 3]).expect("a part");
        let error = part.read(Channel::One).expect_err("over the range");
        assert!(matches!(error, PowerError::OverRange { .. }), "{error}");
        bus.done();

        let calls = [Transaction::write_read(
            ADDRESS,
            vec![0xff],
            vec![0xff, 0xff],
        )];
        let mut bus = Mock::new(&calls);
        let error = Ina3221::new(bus.clone(), ADDRESS, [0.1; 3]).expect_err("another part");
        assert!(error.to_string().contains("0x3220, got 0xffff"), "{error}");
        bus.done();
    }
}
