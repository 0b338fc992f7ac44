//! What a board draws: power monitors over I2C, and the energy that a time has cost.
//!
//! A monitor measures the small voltage over a resistor in the supply line, its shunt, and the voltage behind it. The
//! registers are those of Texas Instruments' data sheets, SBOS448G (INA219) and SBOS576B (INA3221).

mod energy;
mod ina219;
mod ina3221;

pub use energy::Energy;
pub use ina219::Ina219;
pub use ina3221::{Channel, Ina3221};

use embedded_hal::i2c::I2c;

/// What flows just now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Volts behind the shunt.
    pub volts: f32,
    /// Amperes through it; below zero where they flow back.
    pub amperes: f32,
}

impl Draw {
    /// Watts.
    pub fn watts(&self) -> f32 {
        self.volts * self.amperes
    }
}

/// Why a monitor tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PowerError<E: core::fmt::Debug> {
    /// The bus failed: no such address, a loose wire.
    #[error("the I2C bus failed: {0:?}; `i2cdetect -y 1` lists what answers")]
    Bus(E),
    /// Another part answers at this address.
    #[error("expected {part}, whose register {register:#04x} is {expected:#06x}, got {got:#06x}")]
    OtherPart {
        /// The part that was looked for.
        part: &'static str,
        /// The register that tells.
        register: u8,
        /// What it should hold.
        expected: u16,
        /// What it holds.
        got: u16,
    },
    /// The shunt's resistance is no resistance.
    #[error("the shunt: expected ohms above 0, such as 0.1, got {0}")]
    Shunt(f32),
    /// More flows than can be measured over this shunt.
    #[error(
        "more flows than the {limit_amperes:.3} A that can be measured over this shunt; use a smaller one"
    )]
    OverRange {
        /// What can be measured.
        limit_amperes: f32,
    },
}

/// Registers of 16 bits, the high byte first, of a part on a bus.
#[derive(Debug)]
struct Registers<B> {
    bus: B,
    address: u8,
}

impl<B: I2c> Registers<B> {
    fn read(&mut self, register: u8) -> Result<u16, PowerError<B::Error>> {
        let mut bytes = [0; 2];
        let read = self.bus.write_read(self.address, &[register], &mut bytes);
        read.map_err(PowerError::Bus)?;
        Ok(u16::from_be_bytes(bytes))
    }

    fn write(&mut self, register: u8, value: u16) -> Result<(), PowerError<B::Error>> {
        let [high, low] = value.to_be_bytes();
        let written = self.bus.write(self.address, &[register, high, low]);
        written.map_err(PowerError::Bus)
    }
}

/// A shunt's resistance, which is above zero.
fn shunt<E: core::fmt::Debug>(ohms: f32) -> Result<f32, PowerError<E>> {
    match ohms > 0.0 && ohms.is_finite() {
        true => Ok(ohms),
        false => Err(PowerError::Shunt(ohms)),
    }
}
