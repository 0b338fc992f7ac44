//! The service manager that started the program, and what it is told: ready, alive, about to end.
//!
//! The protocol is systemd's (`sd_notify(3)`): a datagram of `NAME=value` to the AF_UNIX socket that `NOTIFY_SOCKET`
//! names. It is the one place of the program that makes a socket. Without the variable nothing is told, and no socket
//! made.
//!
//! Limits: AF_UNIX only; newer managers' AF_VSOCK is for virtual machines.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::{io, time::Duration};

/// The service manager.
pub struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// It ends the program where nothing is heard for so long.
    pub patience: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    pub fn of_environment() -> Option<Manager> {
        let name = std::env::var("NOTIFY_SOCKET").ok()?;
        let micros = std::env::var("WATCHDOG_USEC").ok();
        let for_whom = std::env::var("WATCHDOG_PID").ok();
        // It is inherited by programs that it is not meant for.
        let for_us = for_whom.is_none_or(|pid| pid == std::process::id().to_string());
        let patience = micros
            .filter(|_| for_us)
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros);
        match Manager::at(&name, patience) {
            Ok(manager) => Some(manager),
            Err(error) => {
                log::warn!("NOTIFY_SOCKET={name}: {error}; the service manager hears nothing");
                None
            }
        }
    }

    fn at(name: &str, patience: Option<Duration>) -> io::Result<Manager> {
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None if name.starts_with('/') => SocketAddr::from_pathname(name)?,
            None => {
                let what = "expected a path or @name";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold the worker up.
        socket.set_nonblocking(true)?;
        Ok(Manager {
            socket,
            address,
            patience,
        })
    }

    /// Tells it something.
    pub fn tell(&self, what: &str) {
        if let Err(error) = self.socket.send_to_addr(what.as_bytes(), &self.address) {
            log::debug!("the service manager does not hear {what:?}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hears_by_path_and_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("ocellus-test-{}", std::process::id());
        let by_name = SocketAddr::from_abstract_name(&name).expect("a name");
        for (ear, at) in [
            (UnixDatagram::bind(&path), path.display().to_string()),
            (UnixDatagram::bind_addr(&by_name), format!("@{name}")),
        ] {
            let ear = ear.expect("a socket");
            let manager = Manager::at(&at, None).expect("an address");
            manager.tell("READY=1");
            let mut heard = [0; 64];
            let bytes = ear.recv(&mut heard).expect("a datagram");
            assert_eq!(&heard[..bytes], b"READY=1");
        }
        Manager::at(&path.display().to_string(), None)
            .expect("an address")
            .tell("nobody listens");
        assert!(Manager::at("relative", None).is_err());
    }
}
