//! A product of integers that is scaled to reals, as an operator of the engine.
//!
//! Limits: it allocates its output at each run, and the signed bytes of its input where this has none, as the engine's operators do.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use ocellus_kernels::{Isa, Numbers};
use ocellus_sys::Pool;
use tract_onnx::tract_hir::internal::*;

use super::find::Product;
use super::packs::{Kernel, Pack};
use crate::region::constant::shifted;
use crate::region::parts::by_rows;
use crate::region::planes::{to_pixels, to_planes};

/// Fed bytes, their zero point and the scale of the sums; gives `sums * scale + addend`.
#[derive(Clone)]
pub(crate) struct Scaled {
    pack: Arc<Pack>,
    addend: Arc<[f32]>,
    shape: ShapeFact,
    isa: Isa,
    pool: Arc<Pool>,
}

impl Scaled {
    pub(super) fn new(product: &Product, isa: Isa, pool: Arc<Pool>) -> Scaled {
        Scaled {
            pack: product.pack.clone(),
            addend: product.addend[..].into(),
            shape: product.shape.clone(),
            isa,
            pool,
        }
    }

    /// The kernel's name, for reports.
    pub(crate) fn kernel(&self) -> &'static str {
        self.pack.kernel.gemm().name()
    }

    /// Multiply-accumulates of a run; 0 where sizes are open.
    pub(crate) fn macs(&self) -> u64 {
        let [_, k] = self.pack.kernel.gemm().shape();
        let outputs = self
            .shape
            .as_concrete()
            .map_or(0, |shape| shape.iter().product());
        (outputs * k) as u64
    }

    /// `rows` rows, in parts for each thread.
    fn multiply(&self, numbers: &Numbers, x: &[i8], to: &mut [f32]) {
        let gemm = self.pack.kernel.gemm();
        let [n, k] = gemm.shape();
        by_rows(&self.pool, to.len() / n, 1, to, &mut [], |rows, to, _| {
            gemm.run(numbers, (&x[rows.start * k..], k), rows.len(), (to, n));
        });
    }
}

/// The bytes of `x` as signed ones, and what is taken from an unsigned zero point with them.
fn signed(x: &Tensor) -> TractResult<(Cow<'_, [i8]>, i32)> {
    let plain = x.try_as_plain_ram()?;
    Ok(match x.datum_type() {
        DatumType::U8 => {
            let bytes = plain.as_slice::<u8>()?.iter();
            let signed: Vec<i8> = bytes.map(|&byte| shifted(byte)).collect();
            (signed.into(), 128)
        }
        _ => (plain.as_slice::<i8>()?.into(), 0),
    })
}

impl EvalOp for Scaled {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (x, zero_point, scale) = args_3!(inputs);
        let (bytes, shift) = signed(&x)?;
        let zero_point = zero_point.cast_to::<i32>()?;
        let zero_point = zero_point.try_as_plain_ram()?.as_slice::<i32>()?.to_vec();
        ensure!(
            zero_point.len() == 1,
            "a zero point for each row of a product"
        );
        let zero_point = i8::try_from(zero_point[0] - shift)?;
        let scale = scale.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
        let gemm = self.pack.kernel.gemm();
        let of = |reals: &[f32], channel: usize| match reals {
            [] => 0.0,
            [one] => *one,
            each => each[channel],
        };
        let numbers = gemm.numbers(zero_point, |c| of(&scale, c), |c| of(&self.addend, c));
        let [n, k] = gemm.shape();
        let shape: TVec<usize> = match &self.pack.kernel {
            Kernel::Matrix(_) => {
                let mut shape: TVec<usize> = x.shape().into();
                ensure!(
                    shape.last() == Some(&k),
                    "a product is fed rows of {shape:?}"
                );
                *shape.last_mut().context("a product of no axes")? = n;
                shape
            }
            Kernel::Convolution(_) => {
                let shape = self.shape.as_concrete();
                shape.context("a convolution of open sizes")?.into()
            }
        };
        let mut y = Tensor::zero::<f32>(&shape)?;
        let mut plain = y.try_as_plain_ram_mut()?;
        let reals = plain.as_slice_mut::<f32>()?;
        match (&self.pack.kernel, x.shape(), &shape[..]) {
            (Kernel::Convolution(conv), &[images, c, h, w], &[_, n, oh, ow]) => {
                let mut pixels = vec![0; c * h * w];
                let mut rows = vec![0.0; n * oh * ow];
                let mut scratch = vec![0; conv.scratch_len([h, w]) * self.pool.threads()];
                for image in 0..images {
                    let from = &bytes[image * pixels.len()..][..c * h * w];
                    to_pixels(from, [1, h * w, c], &mut pixels, |byte| byte);
                    let source = (&pixels[..], [h, w], zero_point);
                    by_rows(
                        &self.pool,
                        oh,
                        1,
                        &mut rows,
                        &mut scratch,
                        |part, to, scratch| {
                            conv.run(&numbers, source, part, to, scratch);
                        },
                    );
                    let to = &mut reals[image * rows.len()..][..n * oh * ow];
                    to_planes(&rows, [1, oh * ow, n], to, |real| real);
                }
            }
            _ => self.multiply(&numbers, &bytes, reals),
        }
        Ok(tvec![y.into_tvalue()])
    }
}

impl Op for Scaled {
    fn name(&self) -> StaticName {
        match self.pack.kernel {
            Kernel::Matrix(_) => "MatMulInteger".into(),
            Kernel::Convolution(_) => "ConvInteger".into(),
        }
    }

    op_as_typed_op!();
}

impl TypedOp for Scaled {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(self.shape.clone())])
    }

    as_op!();
}

impl PartialEq for Scaled {
    fn eq(&self, other: &Scaled) -> bool {
        Arc::ptr_eq(&self.pack, &other.pack)
            && Arc::ptr_eq(&self.addend, &other.addend)
            && self.shape == other.shape
    }
}

impl Eq for Scaled {}

impl fmt::Debug for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scaled")
            .field("isa", &self.isa)
            .field("kernel", &self.kernel())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}
