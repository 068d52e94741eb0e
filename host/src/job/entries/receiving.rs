//! `[[source]]` of type `socket` and `rate`: input that comes with time.

use super::super::fields::{Fields, brief};
use super::super::problem::Span;
use super::super::schema::ADDRESSES_MAX;
use super::super::{FormatKind, RateSourceSpec, SocketSourceSpec, SourceKind};
use super::FORMATS;

const ADDRESS_HELP: &str =
    "a host and a port, such as `address = \"localhost:9999\"`; IPv6 as \"[::1]:9999\"";

/// Reads the settings of a socket.
pub fn socket(fields: &Fields<'_>, has_schema: bool) -> Option<SourceKind> {
    let addresses = addresses(fields);
    let format = fields.word("format", &FORMATS[..2]).unwrap_or(FormatKind::Text);
    if format == FormatKind::Json && !has_schema {
        let help = "nothing can be looked at beforehand: `schema = { user = \"string\" }`";
        fields.missing("schema", help);
    }
    let block_interval = fields.time("block_interval").unwrap_or_default();
    let buffer = fields.bytes("buffer").unwrap_or_default();
    let idle_timeout = fields.time("idle_timeout");
    let max_rate = max_rate(fields);
    let wal = fields.flag("wal").unwrap_or(true);
    Some(SourceKind::Socket(SocketSourceSpec {
        addresses: addresses?,
        format,
        block_interval,
        buffer,
        idle_timeout,
        max_rate,
        wal,
    }))
}

/// Reads the settings of a rate.
pub fn rate(fields: &Fields<'_>) -> Option<SourceKind> {
    let rows_per_second = fields.number("rows_per_second").unwrap_or_default();
    let count = fields.number("count");
    Some(SourceKind::Rate(RateSourceSpec {
        rows_per_second: rows_per_second.unsigned_abs(),
        count: count.map(i64::unsigned_abs),
        max_rate: max_rate(fields),
    }))
}

fn max_rate(fields: &Fields<'_>) -> Option<u64> {
    fields.number("max_rate").map(i64::unsigned_abs)
}

fn addresses(fields: &Fields<'_>) -> Option<Vec<String>> {
    if fields.take("address").is_none() {
        fields.missing("address", ADDRESS_HELP);
        return None;
    }
    let (texts, span) = fields.texts("address")?;
    if texts.is_empty() || texts.len() > ADDRESSES_MAX {
        let message = format!("`address` has {} entries", texts.len());
        fields.senseless(&span, message, &format!("from 1 to {ADDRESSES_MAX}"));
        return None;
    }
    // Each is looked at, so that all that are wrong are told at once.
    let checked: Vec<Option<String>> =
        texts.into_iter().map(|(text, span)| address(fields, text, &span)).collect();
    checked.into_iter().collect()
}

fn address(fields: &Fields<'_>, text: String, span: &Span) -> Option<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            !host.is_empty() && host.chars().all(known)
        }
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    if is_host && is_port {
        return Some(text);
    }
    let message = format!("`address` can't be \"{}\"", brief(&text));
    fields.senseless(span, message, ADDRESS_HELP);
    None
}
