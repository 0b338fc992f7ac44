//! The QOperator form: operators that take and give integers become the same operators on reals between DequantizeLinear
//! and QuantizeLinear.
//!
//! Both forms of a quantized model then are one graph, in which the INT8 regions find the same operators, and what they do
//! not find runs in f32 as the QDQ form does. A node's last new node keeps its output and so its name; the operator between
//! is called after it, with [`REAL`] behind. A bias of 32 bits counts in the scale of input times weights, which is a product
//! of constants in the new graph.
//!
//! Limits: nodes of the outermost graph; channels come first.

use std::collections::HashSet;

use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// What the name of an operator on reals ends in.
pub(crate) const REAL: &str = ".real";

/// An operator of the QOperator form. Behind each value stand its scale and its zero point.
pub(crate) struct Form {
    domain: &'static str,
    op: &'static str,
    /// What it is on reals.
    real: &'static str,
    pub(crate) operands: Operands,
    /// Where a bias of 32 bits stands.
    bias: Option<usize>,
    /// Where the output's scale stands.
    pub(crate) output_scale: usize,
    /// Whether the output is real where that is left out.
    pub(crate) may_be_real: bool,
}

/// Where an operator's values stand.
#[derive(Clone, Copy)]
pub(crate) enum Operands {
    One,
    Two,
    /// All that follow the output's scale and zero point.
    List,
}

const CONTRIBUTED: &str = "com.microsoft";

const UNARY: Form = Form {
    domain: CONTRIBUTED,
    op: "",
    real: "",
    operands: Operands::One,
    bias: None,
    output_scale: 3,
    may_be_real: false,
};

const BINARY: Form = Form {
    operands: Operands::Two,
    output_scale: 6,
    ..UNARY
};

const FORMS: [Form; 10] = [
    Form {
        domain: "",
        op: "QLinearConv",
        real: "Conv",
        bias: Some(8),
        ..BINARY
    },
    Form {
        domain: "",
        op: "QLinearMatMul",
        real: "MatMul",
        ..BINARY
    },
    Form {
        op: "QGemm",
        real: "Gemm",
        bias: Some(6),
        output_scale: 7,
        may_be_real: true,
        ..BINARY
    },
    Form {
        op: "QLinearAdd",
        real: "Add",
        ..BINARY
    },
    Form {
        op: "QLinearMul",
        real: "Mul",
        ..BINARY
    },
    Form {
        op: "QLinearSigmoid",
        real: "Sigmoid",
        ..UNARY
    },
    Form {
        op: "QLinearLeakyRelu",
        real: "LeakyRelu",
        ..UNARY
    },
    Form {
        op: "QLinearAveragePool",
        real: "AveragePool",
        ..UNARY
    },
    Form {
        op: "QLinearGlobalAveragePool",
        real: "GlobalAveragePool",
        ..UNARY
    },
    Form {
        op: "QLinearConcat",
        real: "Concat",
        operands: Operands::List,
        output_scale: 0,
        ..UNARY
    },
];

/// The form of the operator `op` of `domain`, if it is one.
pub(crate) fn form(domain: &str, op: &str) -> Option<&'static Form> {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    FORMS
        .iter()
        .find(|form| (form.domain, form.op) == (domain, op))
}

impl Form {
    /// Where the values stand among `inputs` inputs.
    pub(crate) fn values(&self, inputs: usize) -> Vec<usize> {
        match self.operands {
            Operands::One => vec![0],
            Operands::Two => vec![0, 3],
            Operands::List => (2..inputs.max(3)).step_by(3).collect(),
        }
    }
}

/// Puts the QDQ form in the place of every node of `graph` that is of the other. Nodes are called after their outputs.
pub(crate) fn rewrite(graph: &mut GraphProto) {
    let of_form = |node: &NodeProto| form(&node.domain, &node.op_type);
    if !graph.node.iter().any(|node| of_form(node).is_some()) {
        return;
    }
    let names = graph.input.iter().map(|input| input.name.clone());
    let names = names.chain(graph.initializer.iter().map(|tensor| tensor.name.clone()));
    let outputs = graph.node.iter().flat_map(|node| node.output.clone());
    let mut writer = Writer {
        names: names.chain(outputs).collect(),
        nodes: Vec::new(),
        constants: Vec::new(),
    };
    for node in std::mem::take(&mut graph.node) {
        match of_form(&node) {
            Some(form) => writer.write(form, node),
            None => writer.nodes.push(node),
        }
    }
    graph.node = writer.nodes;
    graph.initializer.extend(writer.constants);
}

struct Writer {
    /// Those of all tensors.
    names: HashSet<String>,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Writer {
    fn write(&mut self, form: &Form, node: NodeProto) {
        let Some(output) = node.output.first().cloned() else {
            return;
        };
        let input = |at: usize| node.input.get(at).cloned().unwrap_or_default();
        let mut reals = Vec::new();
        for (i, at) in form.values(node.input.len()).into_iter().enumerate() {
            let meaning = [input(at), input(at + 1), input(at + 2)];
            let name = self.name(&output, &format!("in{i}"));
            let axis = channel_axis(form, i, &node);
            reals.push(self.dequantize(&node, name, meaning, axis));
        }
        let bias = form.bias.map(input).filter(|bias| !bias.is_empty());
        if let Some(bias) = bias {
            let mut unit = self.product(&output, "unit", [&input(1), &input(4)]);
            if let Some(alpha) = float(&node, "alpha").filter(|&alpha| alpha != 1.0) {
                let alpha = self.constant(&output, "alpha", alpha);
                unit = self.product(&output, "scaled_unit", [&unit, &alpha]);
            }
            // One for each filter, or for each column of a product.
            let axis = if form.real == "Conv" { 0 } else { -1 };
            let name = self.name(&output, "bias");
            reals.push(self.dequantize(&node, name, [bias, unit, String::new()], axis));
        }
        let scale = input(form.output_scale);
        let real = match scale.is_empty() {
            true => output.clone(),
            false => self.name(&output, &REAL[1..]),
        };
        let kept = |attribute: &AttributeProto| attribute.name != "channels_last";
        self.nodes.push(NodeProto {
            input: reals,
            output: vec![real.clone()],
            name: real.clone(),
            op_type: form.real.to_owned(),
            attribute: node.attribute.iter().filter(|a| kept(a)).cloned().collect(),
            ..NodeProto::default()
        });
        if !scale.is_empty() {
            self.nodes.push(NodeProto {
                input: vec![real, scale, input(form.output_scale + 1)],
                output: vec![output.clone()],
                name: output,
                op_type: "QuantizeLinear".to_owned(),
                doc_string: node.doc_string,
                ..NodeProto::default()
            });
        }
    }

    /// Dequantizes a value of `node` to `name`, by its scale and its zero point.
    fn dequantize(
        &mut self,
        node: &NodeProto,
        name: String,
        meaning: [String; 3],
        axis: i64,
    ) -> String {
        let mut input = Vec::from(meaning);
        input.retain(|name| !name.is_empty());
        self.nodes.push(NodeProto {
            input,
            output: vec![name.clone()],
            name: name.clone(),
            op_type: "DequantizeLinear".to_owned(),
            doc_string: node.doc_string.clone(),
            attribute: vec![AttributeProto {
                name: "axis".to_owned(),
                i: axis,
                // An integer.
                r#type: 2,
                ..AttributeProto::default()
            }],
            ..NodeProto::default()
        });
        name
    }

    fn product(&mut self, stem: &str, part: &str, factors: [&str; 2]) -> String {
        let name = self.name(stem, part);
        self.nodes.push(NodeProto {
            input: factors.map(str::to_owned).into(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: "Mul".to_owned(),
            ..NodeProto::default()
        });
        name
    }

    fn constant(&mut self, stem: &str, part: &str, value: f32) -> String {
        let name = self.name(stem, part);
        self.constants.push(TensorProto {
            name: name.clone(),
            // f32
            data_type: 1,
            float_data: vec![value],
            ..TensorProto::default()
        });
        name
    }

    /// A name that no tensor has.
    fn name(&mut self, stem: &str, part: &str) -> String {
        let mut name = format!("{stem}.{part}");
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// The axis of the channels of operand `i`, where it has a scale for each of them.
fn channel_axis(form: &Form, i: usize, node: &NodeProto) -> i64 {
    let transposed = |name: &str| integer(node, name).is_some_and(|value| value != 0);
    match (form.real, i) {
        ("Conv", 1) => 0,
        // Rows of the left side, columns of the right one.
        ("Gemm", 0) => i64::from(transposed("transA")),
        ("Gemm", 1) => i64::from(!transposed("transB")),
        ("MatMul", 0) => -2,
        ("MatMul", 1) => -1,
        _ => 1,
    }
}

fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name == name)
}

fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).map(|attribute| attribute.i)
}

fn float(node: &NodeProto, name: &str) -> Option<f32> {
    attribute(node, name).map(|attribute| attribute.f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(op: &str, domain: &str, inputs: &[&str]) -> GraphProto {
        let node = NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec!["y".to_owned()],
            name: "y".to_owned(),
            op_type: op.to_owned(),
            domain: domain.to_owned(),
            ..NodeProto::default()
        };
        let mut graph = GraphProto {
            node: vec![node],
            ..GraphProto::default()
        };
        rewrite(&mut graph);
        graph
    }

    /// `output = op(inputs)`, node by node.
    fn lines(graph: &GraphProto) -> Vec<String> {
        let line = |node: &NodeProto| {
            let (output, op) = (&node.output[0], &node.op_type);
            format!("{output} = {op}({})", node.input.join(" "))
        };
        graph.node.iter().map(line).collect()
    }

    #[test]
    fn a_convolution_is_one_between_conversions() {
        let inputs = ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"];
        let graph = rewritten("QLinearConv", "", &inputs);
        let expected = [
            "y.in0 = DequantizeLinear(x sx zx)",
            "y.in1 = DequantizeLinear(w sw zw)",
            "y.unit = Mul(sx sw)",
            "y.bias = DequantizeLinear(b y.unit)",
            "y.real = Conv(y.in0 y.in1 y.bias)",
            "y = QuantizeLinear(y.real sy zy)",
        ];
        assert_eq!(lines(&graph), expected);
    }

    #[test]
    fn lists_and_real_outputs() {
        let graph = rewritten(
            "QLinearConcat",
            CONTRIBUTED,
            &["sy", "zy", "a", "sa", "za", "b", "sb", "zb"],
        );
        let expected = [
            "y.in0 = DequantizeLinear(a sa za)",
            "y.in1 = DequantizeLinear(b sb zb)",
            "y.real = Concat(y.in0 y.in1)",
            "y = QuantizeLinear(y.real sy zy)",
        ];
        assert_eq!(lines(&graph), expected);
        let graph = rewritten("QGemm", CONTRIBUTED, &["a", "sa", "za", "b", "sb", "zb"]);
        let expected = [
            "y.in0 = DequantizeLinear(a sa za)",
            "y.in1 = DequantizeLinear(b sb zb)",
            "y = Gemm(y.in0 y.in1)",
        ];
        assert_eq!(lines(&graph), expected);
    }

    #[test]
    fn other_operators_and_other_domains_stay() {
        for (op, domain) in [
            ("Conv", ""),
            ("QLinearConv", CONTRIBUTED),
            ("QLinearAdd", ""),
        ] {
            let graph = rewritten(op, domain, &["a", "b"]);
            assert_eq!(lines(&graph), [format!("y = {op}(a b)")]);
        }
    }
}
