//! A model's bytes, checked, planned and run.
//!
//! ```text
//! bytes -- CheckedModel::scan -- Encoder::new -- Encoder::plan -- Plan::run -- tensors
//!          sizes, names, scales   parsed once     one shape        one picture
//! ```
//!
//! This crate knows the inference engine, tract, and no other crate of the workspace does. The engine parses, infers
//! shapes, simplifies and runs the float part of a graph; what it would do wrong, or trust too far, is settled on our
//! side of the border: see [`CheckedModel::scan`] for what a file may not contain. Every failure is an
//! [`EncoderError`] that names the place and the remedy; none is a panic.
//!
//! ```
//! use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits};
//! use ocellus_kernels::Isa;
//!
//! # let bytes = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/u_softmax_q.onnx"));
//! let model = CheckedModel::scan("softmax.onnx", bytes, &Limits::default())?;
//! let encoder = Encoder::new(model, Isa::Scalar)?;
//! let plan = encoder.plan("x", &[1, 16, 32].map(Dim::Fixed), &["y"])?;
//! let result = plan.run(Input::F32(&[0.0; 16 * 32]))?;
//! assert_eq!(result[0].shape, [1, 16, 32]);
//! for step in plan.steps() {
//!     println!("{} {} {}", step.node, step.op, step.precision);
//! }
//! # Ok::<(), ocellus_encoder::EncoderError>(())
//! ```
//!
//! Limits: ONNX files, operator sets 9 to 21; one input per plan.

#![forbid(unsafe_code)]

mod analyse;
mod convolution;
mod elements;
mod encoder;
mod error;
mod guard;
mod import;
mod inspect;
mod layout;
mod limits;
mod observe;
mod plan;
mod qoperator;
mod quant;
mod region;
mod scan;
mod share;
mod tensor;
mod transformer;
mod typed;

pub use encoder::Encoder;
pub use error::{EncoderError, Fault, Names, Stage};
pub use inspect::{Precision, Reason, Step};
pub use limits::{Limit, Limits};
pub use observe::{Observer, Operation};
pub use plan::Plan;
pub use scan::{CheckedModel, Dim, Element, Port};
pub use tensor::{Input, Pixels, Tensor};
