//! The runtime as C sees it: a loaded engine and a log.

use crate::{
    bundle::ocellus_bundle,
    guard,
    handle::{self, Handled, Table},
    log::{Log, OCELLUS_LOG_INFO, OCELLUS_LOG_WARN, ocellus_log_fn},
    memory,
    pointer::place,
    sized::{self, Versioned},
    status::{Failure, OCELLUS_E_THREAD},
};
use ocellus::{Bundle, Engine, Pool, Resources, Tier};
use std::{ffi::c_void, ptr, sync::Arc};

/// Instruction set: the best that this machine has.
pub const OCELLUS_ISA_BEST: i32 = 0;
/// Instruction set: portable code.
pub const OCELLUS_ISA_SCALAR: i32 = 1;
/// Instruction set: NEON of ARMv8.0.
pub const OCELLUS_ISA_NEON: i32 = 2;
/// Instruction set: NEON with the INT8 dot product of ARMv8.2.
pub const OCELLUS_ISA_DOTPROD: i32 = 3;

/// A bundle made ready to run. Never changes; threads and sessions share it. It computes in the threads of its
/// sessions, and in those that `threads` of its options asks for.
pub struct ocellus_runtime {
    _opaque: [u8; 0],
}

/// What a session needs of its runtime.
pub(crate) struct Runtime {
    pub engine: Arc<Engine>,
    pub log: Log,
    pub cpu_mask: u64,
}

impl Handled for Runtime {
    type Token = ocellus_runtime;
    const NAME: &'static str = "runtime";
    fn table() -> &'static Table<Runtime> {
        static TABLE: Table<Runtime> = Table::new();
        &TABLE
    }
}

/// How a runtime works. Set up by ocellus_runtime_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ocellus_runtime_options {
    /// Set by ocellus_runtime_options_init.
    pub struct_size: u32,
    /// OCELLUS_ISA_...: no better instruction set is used, whatever the machine has. OCELLUS_ISA_BEST.
    pub isa_at_most: i32,
    /// CPUs that its threads and the workers of its sessions may run on, bit 0 is CPU 0; 0: those of the thread that makes
    /// them. Making a runtime with threads or a session with a worker fails where none of them can be used. 0.
    pub cpu_mask: u64,
    /// Takes messages, as long as the runtime or a session of it lives. NULL: nothing is logged, and nothing printed.
    pub log: ocellus_log_fn,
    /// Handed to `log` as it is.
    pub log_context: *mut c_void,
    /// OCELLUS_LOG_...: what `log` gets. OCELLUS_LOG_WARN.
    pub log_level: i32,
    /// How many threads compute a frame, at most 16: the one that asks and others, which the runtime starts here, which
    /// sleep while there is nothing to do, and which its sessions share: where two frames are computed at the same time,
    /// one has them and the other its own thread. The number changes no result. 0: 1. 0.
    pub threads: u32,
    /// The most bytes that the library may use of the heap when a call returns, by ocellus_memory_used; 0: no limit. The
    /// call of this runtime, or of a session on it, by which it would use more returns OCELLUS_E_MEMORY and gives back
    /// what it took: loading and warming up, labels, and a frame that needs larger buffers than those before. For a
    /// moment, while a call works, there may be more: peak_bytes tells. 0.
    pub memory_limit_bytes: u64,
}

// SAFETY: repr(C), size first; a function pointer is any bytes but is only called where the caller set it.
unsafe impl Versioned for ocellus_runtime_options {
    const NAME: &'static str = "ocellus_runtime_options";
    const FIRST: usize = 48;
    fn defaults() -> ocellus_runtime_options {
        ocellus_runtime_options {
            struct_size: size_of::<ocellus_runtime_options>() as u32,
            isa_at_most: OCELLUS_ISA_BEST,
            cpu_mask: 0,
            log: None,
            log_context: ptr::null_mut(),
            log_level: OCELLUS_LOG_WARN,
            threads: 0,
            memory_limit_bytes: 0,
        }
    }
}

/// Sets runtime options up: every field has the value that its comment ends with.
///
/// struct_size    sizeof(ocellus_runtime_options)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_runtime_options_init(
    options: *mut ocellus_runtime_options,
    struct_size: u32,
) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(options, struct_size) })
}

/// Loads a bundle: checks its models and makes them ready. Takes from tens of milliseconds to a second.
///
/// bundle     may be freed before the runtime is.
/// options    NULL: the defaults.
/// runtime    receives a handle that the caller frees with ocellus_runtime_free.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT, OCELLUS_E_BUNDLE,
/// OCELLUS_E_MODEL, OCELLUS_E_MEMORY, OCELLUS_E_THREAD where the system gives none. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_runtime_new(
    bundle: *const ocellus_bundle,
    options: *const ocellus_runtime_options,
    runtime: *mut *mut ocellus_runtime,
) -> i32 {
    guard::call(|| {
        let to = place(runtime, "runtime")?;
        let bundle = handle::get::<Bundle>(bundle)?;
        let options = match options.is_null() {
            true => ocellus_runtime_options::defaults(),
            // SAFETY: not NULL, and as long as it says by the caller's word.
            false => unsafe { sized::read(options)? },
        };
        // SAFETY: the callback keeps the header's word.
        let log = unsafe { Log::new(options.log, options.log_context, options.log_level)? };
        let isa = match options.isa_at_most {
            OCELLUS_ISA_BEST => ocellus::detect_isa(),
            limit => ocellus::detect_isa().at_most(tier(limit)?),
        };
        let pool = pool(options.threads, options.cpu_mask)?;
        let engine = log.failures(|| {
            let resources = Resources {
                memory: memory::limit(options.memory_limit_bytes),
                pool: Arc::new(pool),
            };
            Ok(Engine::load_with(Arc::clone(&bundle), isa, resources)?)
        })?;
        log.write(OCELLUS_LOG_INFO, || {
            let id = engine.bundle_id();
            format!("loaded {} {}, isa {}", id.name, id.sha256, isa.name())
        });
        let handle = handle::put(Runtime {
            engine: Arc::new(engine),
            log,
            cpu_mask: options.cpu_mask,
        });
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

/// Threads that keep to `cpu_mask`.
fn pool(threads: u32, cpu_mask: u64) -> Result<Pool, Failure> {
    let most = Pool::MOST as u32;
    if threads > most {
        return Err(Failure::argument(format!(
            "ocellus_runtime_options: threads: expected 0 to {most}, got {threads}"
        )));
    }
    let pool = Pool::new(threads.max(1) as usize).map_err(|error| {
        let said = format!("the system gave no {threads} threads for a runtime: {error}");
        Failure::new(OCELLUS_E_THREAD, said)
    })?;
    pool.keep_to(cpu_mask)
        .map_err(|error| no_such_cpu(cpu_mask, error))?;
    Ok(pool)
}

/// What a mask is told that names no CPU to run on.
pub(crate) fn no_such_cpu(cpus: u64, error: std::io::Error) -> Failure {
    Failure::argument(format!(
        "ocellus_runtime_options: cpu_mask: expected a CPU that this process may use, got {cpus:#x}: {error}"
    ))
}

fn tier(isa: i32) -> Result<Tier, Failure> {
    Ok(match isa {
        OCELLUS_ISA_SCALAR => Tier::Scalar,
        OCELLUS_ISA_NEON => Tier::Neon,
        OCELLUS_ISA_DOTPROD => Tier::DotProd,
        _ => {
            return Err(Failure::argument(format!(
                "ocellus_runtime_options: isa_at_most: expected {OCELLUS_ISA_BEST} to {OCELLUS_ISA_DOTPROD}, got {isa}"
            )));
        }
    })
}

/// Which instruction set a runtime uses.
///
/// isa    receives OCELLUS_ISA_SCALAR, OCELLUS_ISA_NEON or OCELLUS_ISA_DOTPROD.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_runtime_isa(
    runtime: *const ocellus_runtime,
    isa: *mut i32,
) -> i32 {
    guard::call(|| {
        let to = place(isa, "isa")?;
        let runtime = handle::get::<Runtime>(runtime)?;
        let isa = match runtime.engine.isa().tier() {
            Tier::Scalar => OCELLUS_ISA_SCALAR,
            Tier::Neon => OCELLUS_ISA_NEON,
            Tier::DotProd => OCELLUS_ISA_DOTPROD,
        };
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(isa) };
        Ok(())
    })
}

/// Frees a runtime. Its sessions stay, and so does what they share. NULL is fine.
///
/// Errors: OCELLUS_E_HANDLE where it was freed before. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_runtime_free(runtime: *mut ocellus_runtime) -> i32 {
    guard::call(|| handle::free::<Runtime>(runtime))
}
