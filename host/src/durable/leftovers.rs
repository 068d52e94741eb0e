//! What a process that died left half-made.

use super::StoreError;
use super::disk::Disk;
use super::name::{is_half_made, join};

/// Removes what is half-made in a folder, and makes the names in it durable: a process that died
/// may have left some that are not. Adds the folders in it to `folders`.
pub fn tidy<D: Disk>(
    disk: &mut D,
    folder: &str,
    folders: &mut Vec<String>,
) -> Result<(), StoreError> {
    for (name, bytes) in
        disk.list(folder).map_err(|error| StoreError::io("list", folder, &error))?
    {
        let name = join(folder, &name);
        match bytes {
            None => folders.push(name),
            Some(_) if is_half_made(&name) => {
                disk.remove(&name).map_err(|error| StoreError::io("remove", &name, &error))?;
            }
            Some(_) => {}
        }
    }
    disk.sync_folder(folder).map_err(|error| StoreError::io("flush", folder, &error))
}
