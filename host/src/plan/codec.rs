//! Our nodes as bytes and back, so that a plan can be sent.
//!
//! A node is a frozen record, encoded with bincode; call sites are found again by op, digest and
//! function in the job that reads the plan.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, internal_err, plan_datafusion_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};

use super::bind::{Reading, SourceExec};
use super::origin;
use crate::id::NodeId;
use crate::operator::{
    AssignExec, AssignV1, CallV1, ExchangeExec, FilterExec, FlatMapExec, LeaveOutExec, MapExec,
    Routing, RunningExec, RunningV1, SharedExec, Sites, TimeFunction, TransformExec, UpdateExec,
    UpdateV1, WasmAggregate, WasmScalar, WatermarkExec, WatermarkV1, WindowExec, WindowV1,
};
use crate::row_error::ON_ERROR;
use crate::types;

/// Bytes that one node may take.
const NODE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A node of ours.
#[derive(bincode::Encode, bincode::Decode)]
enum NodeV1 {
    Source {
        source: String,
        fields: Vec<(String, String, bool)>,
        partitions: u32,
        reading: ReadingV1,
    },
    Map(CallV1),
    Filter(CallV1),
    FlatMap((CallV1, u32)),
    Transform((CallV1, u32)),
    Gather {
        id: u32,
    },
    ByKey {
        id: u32,
        key: Vec<Vec<u8>>,
        partitions: u32,
    },
    Shared((u32, Vec<u32>, u32)),
    LeaveOut(CallV1),
    Update(UpdateV1),
    Running(RunningV1),
    Watermark(WatermarkV1),
    Assign(AssignV1),
    Window(WindowV1),
}

/// How a source is read: its number, the number of its policy, and whether rows say where they
/// were read.
#[derive(bincode::Encode, bincode::Decode)]
struct ReadingV1(u8, u8, bool);

/// A function of ours: op, digest, function.
#[derive(bincode::Encode, bincode::Decode)]
struct FunctionV1(String, String, String);

/// An aggregate of ours, and whether its results say which groups have none.
#[derive(bincode::Encode, bincode::Decode)]
struct AggregateV1(FunctionV1, bool);

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<NODE_BYTES_MAX>()
}

fn encode(value: &impl bincode::Encode, out: &mut Vec<u8>) -> Result<()> {
    let bytes = bincode::encode_to_vec(value, config())
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    out.extend(bytes);
    Ok(())
}

fn decode<T: bincode::Decode<()>>(bytes: &[u8]) -> Result<T> {
    match bincode::decode_from_slice(bytes, config()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok(_) => plan_err!("a node of the plan has bytes left over"),
        Err(error) => plan_err!("a node of the plan can't be read: {error}"),
    }
}

/// The input of a node that has one.
fn only(inputs: &[Arc<dyn ExecutionPlan>]) -> Result<Arc<dyn ExecutionPlan>> {
    match inputs {
        [input] => Ok(Arc::clone(input)),
        _ => plan_err!("a node of the plan has {} inputs", inputs.len()),
    }
}

/// The codec of our nodes and functions.
#[derive(Debug)]
pub struct Codec {
    sites: Arc<Sites>,
}

impl Codec {
    /// A codec for the job that has these sites.
    pub fn new(sites: Arc<Sites>) -> Self {
        Self { sites }
    }

    fn find(
        &self,
        FunctionV1(op, digest, function): FunctionV1,
    ) -> Result<Arc<crate::plugin::CallSite>> {
        self.sites.find(&op, &digest, &function)
    }
}

fn function_of(site: &crate::plugin::CallSite) -> FunctionV1 {
    FunctionV1(
        site.op().to_owned(),
        site.plugin().digest().to_string(),
        site.function().name.clone(),
    )
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let node = decode::<NodeV1>(bytes)?;
        let input = || only(inputs);
        Ok(match node {
            NodeV1::Source { source, fields, partitions, reading } => {
                source_node(source, fields, partitions, reading)?
            }
            NodeV1::Map(call) => Arc::new(MapExec::restore(&call, input()?, context)?),
            NodeV1::Filter(call) => Arc::new(FilterExec::restore(&call, input()?, context)?),
            NodeV1::FlatMap(call) => Arc::new(FlatMapExec::restore(&call, input()?, context)?),
            NodeV1::Transform(call) => Arc::new(TransformExec::restore(&call, input()?, context)?),
            NodeV1::Shared(shared) => Arc::new(SharedExec::restore(&shared, input()?)?),
            NodeV1::LeaveOut(call) => Arc::new(LeaveOutExec::restore(&call, input()?, context)?),
            NodeV1::Running(node) => Arc::new(RunningExec::restore(&node, input()?)?),
            NodeV1::Watermark(node) => Arc::new(WatermarkExec::restore(&node, input()?)?),
            NodeV1::Assign(node) => Arc::new(AssignExec::restore(&node, input()?)),
            NodeV1::Window(node) => Arc::new(WindowExec::restore(&node, input()?)?),
            NodeV1::Update(node) => Arc::new(UpdateExec::restore(&node, input()?, context)?),
            NodeV1::Gather { id } => Arc::new(ExchangeExec::new(id, Routing::Gather, input()?)),
            NodeV1::ByKey { id, key, partitions } => {
                let input = input()?;
                let schema = input.schema();
                let decoded = |bytes: &Vec<u8>| {
                    let node = prost::Message::decode(bytes.as_slice())
                        .map_err(|error| DataFusionError::External(Box::new(error)))?;
                    let context = PhysicalPlanDecodeContext::new(context, self);
                    converter.proto_to_physical_expr(&node, &schema, &context)
                };
                let key = key.iter().map(decoded).collect::<Result<_>>()?;
                let routing = Routing::ByKey { key, partitions: partitions as usize };
                Arc::new(ExchangeExec::new(id, routing, input))
            }
        })
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        out: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let record = if let Some(node) = node.downcast_ref::<SourceExec>() {
            source_record(node)?
        } else if let Some(node) = node.downcast_ref::<MapExec>() {
            NodeV1::Map(node.record())
        } else if let Some(node) = node.downcast_ref::<FilterExec>() {
            NodeV1::Filter(node.record())
        } else if let Some(node) = node.downcast_ref::<FlatMapExec>() {
            NodeV1::FlatMap(node.record())
        } else if let Some(node) = node.downcast_ref::<TransformExec>() {
            NodeV1::Transform(node.record())
        } else if let Some(node) = node.downcast_ref::<LeaveOutExec>() {
            NodeV1::LeaveOut(node.record())
        } else if let Some(node) = node.downcast_ref::<RunningExec>() {
            NodeV1::Running(node.record())
        } else if let Some(node) = node.downcast_ref::<WatermarkExec>() {
            NodeV1::Watermark(node.record())
        } else if let Some(node) = node.downcast_ref::<AssignExec>() {
            NodeV1::Assign(node.record())
        } else if let Some(node) = node.downcast_ref::<WindowExec>() {
            NodeV1::Window(node.record())
        } else if let Some(node) = node.downcast_ref::<UpdateExec>() {
            NodeV1::Update(node.record())
        } else if let Some(node) = node.downcast_ref::<SharedExec>() {
            NodeV1::Shared(node.record())
        } else if let Some(node) = node.downcast_ref::<ExchangeExec>() {
            exchange_record(node, self, converter)?
        } else {
            return internal_err!("{} can't be sent", node.name());
        };
        encode(&record, out)
    }

    fn try_decode_udf(&self, _: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        let FunctionV1(op, digest, function) = decode(bytes)?;
        // No op has such an id: these are the functions of the batch's time.
        if op.is_empty() {
            let time = self.sites.time().function(&function);
            let unknown = || plan_datafusion_err!("there is no function `{function}` of the time");
            return time.map(Arc::new).ok_or_else(unknown);
        }
        let site = self.sites.find(&op, &digest, &function)?;
        Ok(Arc::new(ScalarUDF::from(WasmScalar::new(site))))
    }

    fn try_encode_udf(&self, node: &ScalarUDF, out: &mut Vec<u8>) -> Result<()> {
        if let Some(function) = node.inner().downcast_ref::<WasmScalar>() {
            return encode(&function_of(function.site()), out);
        }
        match node.inner().downcast_ref::<TimeFunction>() {
            Some(_) => {
                encode(&FunctionV1(String::new(), String::new(), node.name().to_owned()), out)
            }
            None => Ok(()),
        }
    }

    fn try_decode_udaf(&self, _: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        let AggregateV1(function, marks) = decode(bytes)?;
        Ok(Arc::new(AggregateUDF::from(WasmAggregate::new(self.find(function)?, marks))))
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, out: &mut Vec<u8>) -> Result<()> {
        match node.inner().downcast_ref::<WasmAggregate>() {
            Some(function) => {
                encode(&AggregateV1(function_of(function.site()), function.marks()), out)
            }
            None => Ok(()),
        }
    }
}

fn source_record(node: &SourceExec) -> Result<NodeV1> {
    let field = |field: &Arc<arrow::datatypes::Field>| {
        (field.name().clone(), types::describe(field.data_type()), field.is_nullable())
    };
    let reading = node.reading();
    let policy = ON_ERROR.iter().position(|(_, policy)| *policy == reading.on_error);
    let policy = policy.and_then(|policy| u8::try_from(policy).ok()).unwrap_or(0);
    Ok(NodeV1::Source {
        source: node.source().to_string(),
        fields: origin::public(&node.schema()).fields().iter().map(field).collect(),
        partitions: node.partitions() as u32,
        reading: ReadingV1(reading.number, policy, reading.origins),
    })
}

fn source_node(
    source: String,
    fields: Vec<(String, String, bool)>,
    partitions: u32,
    ReadingV1(number, policy, origins): ReadingV1,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some((_, on_error)) = ON_ERROR.get(usize::from(policy)) else {
        return plan_err!("a source has the unknown policy {policy}");
    };
    let reading = Reading { number, on_error: *on_error, origins };
    let fields: Result<Vec<arrow::datatypes::Field>> = fields
        .into_iter()
        .map(|(name, data_type, nullable)| match types::parse(&data_type) {
            Ok(data_type) => Ok(arrow::datatypes::Field::new(name, data_type, nullable)),
            Err(error) => plan_err!("{error}"),
        })
        .collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields?));
    let partitions = partitions as usize;
    Ok(Arc::new(SourceExec::new(NodeId::new(source), &schema, partitions, reading)))
}

fn exchange_record(
    node: &ExchangeExec,
    codec: &Codec,
    converter: &dyn PhysicalProtoConverterExtension,
) -> Result<NodeV1> {
    Ok(match node.routing() {
        Routing::Gather => NodeV1::Gather { id: node.id() },
        Routing::ByKey { key, partitions } => NodeV1::ByKey {
            id: node.id(),
            key: key
                .iter()
                .map(|expr| {
                    let node = converter.physical_expr_to_proto(expr, codec)?;
                    Ok(prost::Message::encode_to_vec(&node))
                })
                .collect::<Result<_>>()?,
            partitions: *partitions as u32,
        },
    })
}
