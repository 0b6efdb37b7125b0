// Certificates of CAs for tests of translation. They are the same in each run, since ids of upstreams tell whom they trust;
// their keys are nowhere.

export const testAuthorities: Readonly<Record<string, string>> = {
  private: `-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUYhHT9wUpC749IT3kmUQmyV1natUwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKcHJpdmF0ZSBDQTAgFw0yNjExMjgwMzQwMDZaGA8yMTI2MTEw
NDAzNDAwNlowFTETMBEGA1UEAwwKcHJpdmF0ZSBDQTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABN7lyB8fC5yv0Y0zK+geCLfskeeFJQmcydXZhcPQbx5ree9K98Ew
Qrn1Dxixne3nhkTVIF28YOkuuAg/+Bcqld6jUzBRMB0GA1UdDgQWBBSFvKG4n5gI
9KrtqmnzgQFksQ6UHjAfBgNVHSMEGDAWgBSFvKG4n5gI9KrtqmnzgQFksQ6UHjAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIA5LnNaRdRB+IPxrtKMI
2kzxV9Wr+mRqvCohj+qG1wC5AiALK+PEyY8Q9bSzpw+8fidgQ/0qwx2ICu/2yXIW
eo7erQ==
-----END CERTIFICATE-----
`,
  other: `-----BEGIN CERTIFICATE-----
MIIBfDCCASOgAwIBAgIUNvMSX9hrh4y+TPSIvZzQ0kLSzeAwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIb3RoZXIgQ0EwIBcNMjYxMTI4MDM0MDA2WhgPMjEyNjExMDQw
MzQwMDZaMBMxETAPBgNVBAMMCG90aGVyIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEFmChuqANxsEH/M9Xrs/1sOemdU8cPFtl2kmuNM4RDlDgxCt4qh90yG8E
YqQPzxKb19RC4tkwcdR1xtj1nMuYIqNTMFEwHQYDVR0OBBYEFEqhs+xs4gdVd2fj
6ygFX5ZN/VToMB8GA1UdIwQYMBaAFEqhs+xs4gdVd2fj6ygFX5ZN/VToMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgJg8g+ebRNspIoXAmVAHLavrh
kPHYoYSjhVh5krvLgpUCIClYXHlmGRrgbY3qw/Xrm47lhCp4/l/FFt2BhIXayUwz
-----END CERTIFICATE-----
`,
};

/** A text of several, as it travels -> their names. */
export function namesOfAuthorities(pem: string): string {
  const names = Object.keys(testAuthorities).filter((name) => pem.includes(testAuthorities[name] ?? pem));
  return `ca of ${names.join(' and ')}`;
}
