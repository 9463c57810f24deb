//! The reference of the gRPC interface, from the comments in the `.proto` files.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

/// Numbers of the fields that lead to a comment's place.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const SERVICES: i32 = 6;
const PARTS: i32 = 2;

struct File {
    file: FileDescriptorProto,
    comments: BTreeMap<Vec<i32>, String>,
}

impl File {
    fn comment(&self, path: &[usize]) -> String {
        let path: Vec<i32> = path.iter().map(|part| i32::try_from(*part).unwrap()).collect();
        self.comments
            .get(&path)
            .cloned()
            .unwrap_or_else(|| panic!("{}: no comment at {path:?}", self.file.name()))
    }

    fn paragraph(&self, path: &[usize]) -> String {
        self.comment(path).lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    fn cell(&self, path: &[usize]) -> String {
        self.paragraph(path).replace('\n', " ").replace('|', "\\|")
    }
}

/// The reference in Markdown.
pub fn interface(descriptors: &[u8]) -> String {
    let set = FileDescriptorSet::decode(descriptors).unwrap();
    let files: Vec<File> = set
        .file
        .into_iter()
        .filter(|file| file.package() == "tenon.prover.v1")
        .map(|file| {
            let info = file.source_code_info.clone().unwrap();
            let comments = info
                .location
                .into_iter()
                .filter_map(|location| Some((location.path, location.leading_comments?)))
                .collect();
            File { file, comments }
        })
        .collect();
    let mut text = String::from(
        "<!-- Written by the test `documents` with BLESS=1 from the .proto files. -->\n\n\
         # The gRPC interface `tenon.prover.v1`\n",
    );
    for file in &files {
        for (index, service) in file.file.service.iter().enumerate() {
            let path = [SERVICES as usize, index];
            text += &format!("\n## Service `{}`\n\n{}\n", service.name(), file.paragraph(&path));
            for (position, method) in service.method.iter().enumerate() {
                let path = [path[0], path[1], PARTS as usize, position];
                text += &format!(
                    "\n### {}\n\n{}\n\n{}\n",
                    method.name(),
                    signature(method),
                    file.paragraph(&path)
                );
            }
        }
    }
    text += "\n# Messages\n";
    for file in &files {
        for (index, message) in file.file.message_type.iter().enumerate() {
            text += &self::message(file, message, &[MESSAGES as usize, index]);
        }
        for (index, values) in file.file.enum_type.iter().enumerate() {
            text += &enumeration(file, values, &[ENUMS as usize, index]);
        }
    }
    text
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}

fn link(name: &str) -> String {
    let name = short(name);
    format!("[{name}](#{})", name.to_lowercase())
}

fn signature(method: &MethodDescriptorProto) -> String {
    let stream = if method.server_streaming() { "a stream of " } else { "" };
    format!("{} → {stream}{}", link(method.input_type()), link(method.output_type()))
}

fn kind(field: &FieldDescriptorProto) -> String {
    let name = match field.r#type() {
        Type::Message | Type::Enum => link(field.type_name()),
        other => other.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    match (field.label(), field.proto3_optional(), field.oneof_index) {
        (Label::Repeated, ..) => format!("{name}, any number"),
        (_, true, _) => format!("{name}, optional"),
        (_, false, Some(_)) => format!("{name}, one of these"),
        _ => name,
    }
}

fn message(file: &File, message: &DescriptorProto, path: &[usize]) -> String {
    let mut text = format!("\n### {}\n\n{}\n", message.name(), file.paragraph(path));
    if message.field.is_empty() {
        return text;
    }
    text += "\n| field | number | type | meaning |\n|---|---|---|---|\n";
    for (position, field) in message.field.iter().enumerate() {
        let path = [path, &[PARTS as usize, position]].concat();
        let meaning = file.cell(&path);
        text += &format!("| `{}` | {} | {} | {meaning} |\n", field.name(), field.number(), kind(field));
    }
    text
}

fn enumeration(file: &File, values: &EnumDescriptorProto, path: &[usize]) -> String {
    let mut text = format!("\n### {}\n\n{}\n\n", values.name(), file.paragraph(path));
    text += "| value | number | meaning |\n|---|---|---|\n";
    for (position, value) in values.value.iter().enumerate() {
        let path = [path, &[PARTS as usize, position]].concat();
        text += &format!("| `{}` | {} | {} |\n", value.name(), value.number(), file.cell(&path));
    }
    text
}
