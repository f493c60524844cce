//! What the interface looks like, read from the descriptors that are compiled in: every method, and the fields of every message.
//!
//! It says what may stand on the wire. What a call means is not known here.

use std::{collections::BTreeMap, sync::LazyLock};

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

/// The whole interface.
static INTERFACE: LazyLock<Interface> = LazyLock::new(|| {
    let sets = [
        (leasehold_proto::DESCRIPTORS, Admission::Callers),
        (tonic_health::pb::FILE_DESCRIPTOR_SET, Admission::Anybody),
        (tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET, Admission::Anybody),
        (tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET, Admission::Anybody),
    ];
    Interface::read(&sets.map(|(bytes, admission)| {
        let set = FileDescriptorSet::decode(bytes);
        (set.expect("descriptors are compiled in, and written by the compiler of the interface"), admission)
    }))
});

/// Who may call a method at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Callers whose identity is established.
    Callers,
    /// Anybody: what is answered is the same for everyone and no secret.
    Anybody,
}

/// Methods and messages.
#[derive(Debug, Default)]
pub(crate) struct Interface {
    methods: BTreeMap<String, Method>,
    messages: Vec<Shape>,
}

/// One method.
#[derive(Debug)]
pub(crate) struct Method {
    /// Its place among all methods, in the order of their paths.
    pub(crate) index: usize,
    /// The full name of its service.
    pub(crate) service: String,
    /// Its own name.
    pub(crate) name: String,
    /// What it is asked with.
    pub(crate) input: ShapeId,
    /// Whether the caller sends a stream of messages; else exactly one.
    pub(crate) client_streams: bool,
    /// Whether it is answered with a stream of messages; else with exactly one.
    pub(crate) server_streams: bool,
    /// Who may call it at all.
    pub(crate) admission: Admission,
}

/// A message, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShapeId(usize);

/// The fields of a message.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name without the package.
    pub(crate) name: String,
    /// Its fields, by number.
    pub(crate) fields: BTreeMap<u32, Field>,
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: String,
    /// How it is written.
    pub(crate) form: Form,
    /// Whether it may stand there more than once.
    pub(crate) repeated: bool,
    /// Of which choice it is one.
    pub(crate) choice: Option<i32>,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A number of variable length.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// Four bytes.
    Fixed32,
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Bytes,
    /// A message.
    Message(ShapeId),
}

impl Interface {
    /// The interface of this build.
    pub(crate) fn of_this_build() -> &'static Self {
        &INTERFACE
    }

    fn read(sets: &[(FileDescriptorSet, Admission)]) -> Self {
        let mut found = BTreeMap::new();
        for file in sets.iter().flat_map(|(set, _)| &set.file) {
            collect(&format!(".{}", file.package()), &file.message_type, &mut found);
        }
        let ids: BTreeMap<&str, ShapeId> =
            found.keys().enumerate().map(|(index, name)| (name.as_str(), ShapeId(index))).collect();
        let messages = found.values().map(|message| shape(message, &ids)).collect();

        let mut methods = BTreeMap::new();
        for (set, admission) in sets {
            for file in &set.file {
                for service in &file.service {
                    let full = format!("{}.{}", file.package(), service.name());
                    for method in &service.method {
                        let known = Method {
                            index: 0,
                            service: full.clone(),
                            name: method.name().to_owned(),
                            input: named(&ids, method.input_type()),
                            client_streams: method.client_streaming(),
                            server_streams: method.server_streaming(),
                            admission: *admission,
                        };
                        methods.insert(format!("/{full}/{}", method.name()), known);
                    }
                }
            }
        }
        methods.values_mut().enumerate().for_each(|(index, method): (_, &mut Method)| method.index = index);
        Self { methods, messages }
    }

    /// The method that a request's path names.
    pub(crate) fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    /// Every method, in the order of their paths.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.values()
    }

    /// The fields of a message.
    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        self.messages.get(id.0).expect("an id is only made for a message that is there")
    }
}

fn collect<'a>(
    scope: &str,
    messages: &'a [DescriptorProto],
    found: &mut BTreeMap<String, &'a DescriptorProto>,
) {
    for message in messages {
        let full = format!("{scope}.{}", message.name());
        collect(&full, &message.nested_type, found);
        found.insert(full, message);
    }
}

fn named(ids: &BTreeMap<&str, ShapeId>, full: &str) -> ShapeId {
    *ids.get(full).expect("a descriptor set holds every message that it names")
}

fn shape(message: &DescriptorProto, ids: &BTreeMap<&str, ShapeId>) -> Shape {
    let field = |field: &FieldDescriptorProto| {
        let number = u32::try_from(field.number()).ok()?;
        let known = Field {
            name: field.name().to_owned(),
            form: form(field, ids)?,
            repeated: field.label() == Label::Repeated,
            choice: field.oneof_index,
        };
        Some((number, known))
    };
    Shape { name: message.name().to_owned(), fields: message.field.iter().filter_map(field).collect() }
}

/// `None` for a group, which the interface has none of: what is not listed is refused as unknown.
fn form(field: &FieldDescriptorProto, ids: &BTreeMap<&str, ShapeId>) -> Option<Form> {
    Some(match field.r#type() {
        Type::Int32
        | Type::Int64
        | Type::Uint32
        | Type::Uint64
        | Type::Sint32
        | Type::Sint64
        | Type::Bool
        | Type::Enum => Form::Varint,
        Type::Double | Type::Fixed64 | Type::Sfixed64 => Form::Fixed64,
        Type::Float | Type::Fixed32 | Type::Sfixed32 => Form::Fixed32,
        Type::String => Form::Text,
        Type::Bytes => Form::Bytes,
        Type::Message => Form::Message(named(ids, field.type_name())),
        Type::Group => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_ours_is_for_callers_alone_and_health_is_for_anybody() {
        let interface = Interface::of_this_build();
        for method in interface.methods() {
            let ours = method.service.starts_with("leasehold.v1.");
            assert_eq!(ours, method.admission == Admission::Callers, "{}/{}", method.service, method.name);
        }
        assert!(interface.method("/leasehold.v1.LeaseService/Acquire").is_some());
        assert!(interface.method("/grpc.health.v1.Health/Check").is_some());
        assert!(interface.method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo").is_some());
    }

    #[test]
    fn a_path_names_a_method_only_letter_by_letter() {
        let interface = Interface::of_this_build();
        for bad in [
            "/leasehold.v1.LeaseService/acquire",
            "/leasehold.v1.LeaseService/Acquire/",
            "//leasehold.v1.LeaseService/Acquire",
            "/leasehold.v1.LeaseService/%41cquire",
            "/grpc.health.v1.Health/../../leasehold.v1.LeaseService/Acquire",
        ] {
            assert!(interface.method(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_index_of_a_method_is_its_place_in_order() {
        let places: Vec<usize> = Interface::of_this_build().methods().map(|method| method.index).collect();
        assert_eq!(places, (0..places.len()).collect::<Vec<_>>());
    }
}
