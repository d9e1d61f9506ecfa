//! What has to hold between keys.

use super::reader::Reader;
use super::unit::{show_duration, show_size};
use super::{Caller, Config};

/// Notes every rule that is broken.
pub(super) fn check(reader: &mut Reader<'_>, config: &Config) {
    listeners(reader, config);
    callers(reader, &config.callers);
    limits(reader, config);
    times(reader, config);
    patrol(reader, config);
}

fn patrol(reader: &mut Reader<'_>, config: &Config) {
    let folder = config.patrol.archive_directory.as_ref().filter(|_| !config.patrol.enabled);
    if let Some(folder) = folder {
        let fix = "the patrol archives: set patrol.enabled as well, or leave this out";
        reader.refuse("patrol.archive_directory", None, folder.display().to_string(), fix);
    }
}

fn listeners(reader: &mut Reader<'_>, config: &Config) {
    if config.listen == config.admin_listen && config.listen.port() != 0 {
        let fix = "give it another port than listen";
        reader.refuse("admin_listen", None, config.admin_listen.to_string(), fix);
    }
}

fn callers(reader: &mut Reader<'_>, callers: &[Caller]) {
    for (index, caller) in callers.iter().enumerate() {
        let before = callers.iter().take(index);
        if before.clone().any(|other| other.name == caller.name) {
            let fix = "another caller has this name; names tell callers apart";
            reader.refuse(&format!("caller[{index}].name"), None, &caller.name, fix);
        }
        if before.clone().any(|other| other.token == caller.token) {
            let fix = "another caller has this token; with a shared one each can pose as the other";
            reader.refuse(&format!("caller[{index}].token"), None, "(hidden)", fix);
        }
    }
}

fn limits(reader: &mut Reader<'_>, config: &Config) {
    let limits = &config.limits;
    let mut at_most = |field: &str, value: usize, other: &str, max: usize| {
        if value > max {
            let fix = format!("write at most {max}, which is {other}, or raise that");
            reader.refuse(&format!("limits.{field}"), None, value.to_string(), fix);
        }
    };
    let in_flight = limits.in_flight_per_connection_max;
    at_most("in_flight_per_connection_max", in_flight, "limits.in_flight_max", limits.in_flight_max);
    at_most("batch_rows_max", limits.batch_rows_max, "limits.record_queue_max", limits.record_queue_max);
    if limits.frame_len_max > limits.write_buffer_max {
        let fix = format!("write at least {}, which is limits.frame_len_max", show_size(limits.frame_len_max as u64));
        reader.refuse("limits.write_buffer_max", None, show_size(limits.write_buffer_max as u64), fix);
    }
}

fn times(reader: &mut Reader<'_>, config: &Config) {
    let (limits, stock, record) = (&config.limits, &config.stock, &config.record);
    let rules = [
        ("limits.deadline_default", limits.deadline_default, "limits.deadline_max", limits.deadline_max),
        ("stock.settle_quiet", stock.settle_quiet, "stock.settle_quiet_max", stock.settle_quiet_max),
        // A lock wait that outlasts the call turns every lock wait into an unknown outcome.
        ("record.lock_wait", record.lock_wait, "record.call_timeout", record.call_timeout),
    ];
    for (field, value, other, max) in rules {
        if value > max {
            let fix = format!("write at most {}, which is {other}, or raise that", show_duration(max));
            reader.refuse(field, None, show_duration(value), fix);
        }
    }
}
