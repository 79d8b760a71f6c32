/** Sent with each request, so that the server can keep answering old versions as they expect. */
export const SDK_VERSION = 'Gatewarden-Node/0.1.0';

/** Date of the contract that this package was written for, YYYYMMDD. */
export const API_VERSION = '20260727';
