//! The gateway's own certificate authority and server certificate, made once and kept.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};

/// Where the certificates are.
#[derive(Clone, Debug)]
pub(crate) struct Pki {
    /// The root that clients trust, in PEM.
    pub(crate) ca: PathBuf,
    /// The server's chain, in PEM.
    pub(crate) certificate: PathBuf,
    /// The server's private key, in PEM.
    pub(crate) private_key: PathBuf,
}

const DAY: Duration = Duration::from_secs(86_400);
const CA_DAYS: u32 = 10 * 365;
const SERVER_DAYS: u32 = 397;

/// How long before its end a server certificate is made anew.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// Makes what is not there, or does not fit these names any more, and returns where all of it is.
///
/// # Errors
/// When the folder cannot be written, or holds a key that cannot be read.
pub(crate) fn prepare(
    folder: &Path,
    names: &BTreeSet<String>,
    now: SystemTime,
) -> Result<Pki, Box<dyn Error>> {
    fs::create_dir_all(folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
    let pki = Pki {
        ca: folder.join("ca.pem"),
        certificate: folder.join("server.pem"),
        private_key: folder.join("server.key"),
    };
    let ca_key = folder.join("ca.key");
    if !pki.ca.exists() || !ca_key.exists() {
        make_authority(&pki.ca, &ca_key, now)?;
        let _was_not_there = fs::remove_file(&pki.certificate);
    }
    let stamp = folder.join("server.names");
    let wanted = names.iter().cloned().collect::<Vec<_>>().join("\n");
    let fits = fs::read_to_string(&stamp).is_ok_and(|found| found == wanted)
        && pki.private_key.exists()
        && fs::metadata(&pki.certificate).and_then(|meta| meta.modified()).is_ok_and(|made| {
            now.duration_since(made).unwrap_or_default() + RENEW_BEFORE < DAY * SERVER_DAYS
        });
    if !fits {
        make_server(&pki, &ca_key, names, now)?;
        write(&stamp, wanted.as_bytes())?;
    }
    Ok(pki)
}

fn make_authority(ca: &Path, ca_key: &Path, now: SystemTime) -> Result<(), Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Edge gateway CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, CA_DAYS)?;
    let certificate = params.self_signed(&key)?;
    write_private(ca_key, key.serialize_pem().as_bytes())?;
    write(ca, certificate.pem().as_bytes())
}

fn make_server(
    pki: &Pki,
    ca_key: &Path,
    names: &BTreeSet<String>,
    now: SystemTime,
) -> Result<(), Box<dyn Error>> {
    let ca_pem = fs::read_to_string(&pki.ca)?;
    let ca_key = KeyPair::from_pem(&fs::read_to_string(ca_key)?)
        .map_err(|e| format!("{} is not a private key: {e}", ca_key.display()))?;
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    let first = names.iter().next().map_or("localhost", String::as_str);
    params.distinguished_name.push(DnType::CommonName, first);
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    validity(&mut params, now, SERVER_DAYS)?;
    let certificate = params.signed_by(&key, &issuer)?;
    write_private(&pki.private_key, key.serialize_pem().as_bytes())?;
    write(&pki.certificate, format!("{}{ca_pem}", certificate.pem()).as_bytes())
}

/// Sets when a certificate is good: from a day ago, for clients whose clocks are behind.
fn validity(params: &mut CertificateParams, now: SystemTime, days: u32) -> Result<(), Box<dyn Error>> {
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * days).into();
    let since = now.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64;
    params.serial_number = Some(SerialNumber::from(since));
    Ok(())
}

/// Writes a file whole: beside its place first, and then moved there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    write_with(path, bytes, fs::OpenOptions::new().write(true).create(true).truncate(true))
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write_with(path, bytes, &options)
}

fn write_with(path: &Path, bytes: &[u8], options: &fs::OpenOptions) -> Result<(), Box<dyn Error>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = options.open(&beside).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|e| format!("{} cannot be written: {e}", path.display()).into())
}
