//! Typed access to a bundle's safetensors files: type, shape and finiteness are checked once, here.

use super::BundleError;
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// One safetensors file.
pub(crate) struct Tensors<'a> {
    file: &'a str,
    tensors: SafeTensors<'a>,
}

/// An i8 matrix with a scale for each row, `[rows, k]`.
#[derive(Debug)]
pub(crate) struct I8Rows {
    /// Row-major values.
    pub values: Vec<i8>,
    /// One scale a row, finite.
    pub scales: Vec<f32>,
    /// Length of a row.
    pub k: usize,
}

impl<'a> Tensors<'a> {
    pub fn parse(file: &'a str, bytes: &'a [u8]) -> Result<Self, BundleError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| BundleError::Contents {
            file: file.into(),
            what: "container".into(),
            expected: "a safetensors file".into(),
            got: error.to_string(),
        })?;
        Ok(Tensors { file, tensors })
    }

    fn view(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[Option<usize>],
    ) -> Result<TensorView<'a>, BundleError> {
        let expected = || {
            let dims: Vec<_> = shape
                .iter()
                .map(|dim| dim.map_or("?".into(), |dim| dim.to_string()))
                .collect();
            format!("{dtype:?} [{}]", dims.join(", "))
        };
        let error = |got: String| BundleError::Contents {
            file: self.file.into(),
            what: name.into(),
            expected: expected(),
            got,
        };
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| error("nothing of that name".into()))?;
        let fits = view.dtype() == dtype
            && view.shape().len() == shape.len()
            && view
                .shape()
                .iter()
                .zip(shape)
                .all(|(got, want)| want.is_none_or(|want| want == *got));
        if fits {
            Ok(view)
        } else {
            Err(error(format!("{:?} {:?}", view.dtype(), view.shape())))
        }
    }

    fn finite(&self, name: &str, values: Vec<f32>) -> Result<Vec<f32>, BundleError> {
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(BundleError::Contents {
                file: self.file.into(),
                what: format!("{name}[{index}]"),
                expected: "a finite number".into(),
                got: values[index].to_string(),
            }),
        }
    }

    /// An f32 tensor with the given dims; `None` is any.
    pub fn f32(&self, name: &str, shape: &[Option<usize>]) -> Result<Vec<f32>, BundleError> {
        let view = self.view(name, Dtype::F32, shape)?;
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        self.finite(name, values)
    }

    /// An f32 vector of any length in which infinities may stand.
    pub fn logarithms(&self, name: &str) -> Result<Vec<f32>, BundleError> {
        let view = self.view(name, Dtype::F32, &[None])?;
        let values = view.data().chunks_exact(4);
        Ok(values
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect())
    }

    /// A u8 vector of any length.
    pub fn bytes(&self, name: &str) -> Result<&'a [u8], BundleError> {
        Ok(self.view(name, Dtype::U8, &[None])?.data())
    }

    /// An f16 tensor, widened.
    pub fn f16(&self, name: &str, shape: &[Option<usize>]) -> Result<Vec<f32>, BundleError> {
        let view = self.view(name, Dtype::F16, shape)?;
        let values = view
            .data()
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect();
        self.finite(name, values)
    }

    /// An i8 matrix `[rows, k]` named `values`, and its f32 scales `[rows]`.
    pub fn i8_rows(
        &self,
        values: &str,
        scales: &str,
        rows: Option<usize>,
        k: usize,
    ) -> Result<I8Rows, BundleError> {
        let view = self.view(values, Dtype::I8, &[rows, Some(k)])?;
        let rows = view.shape()[0];
        let scales = self.f32(scales, &[Some(rows)])?;
        Ok(I8Rows {
            values: view.data().iter().map(|&byte| byte as i8).collect(),
            scales,
            k,
        })
    }
}
