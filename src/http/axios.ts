import type { AxiosStatic, InternalAxiosRequestConfig } from 'axios';

// axios is two libraries: what `import` loads and what `require` loads share no class and no defaults. This library is
// CommonJS inside, so it would always get the second one, and a plugin that is an ES module would find that no error of ours
// is an instance of its AxiosError. So every module takes axios from here, and the ES module entries hand theirs in.

let inUse: AxiosStatic | undefined;

/** Makes instances and errors of this axios from now on. The entries for `import` call it as they load. */
export function adoptAxios(axios: AxiosStatic): void {
  inUse = axios;
}

/** The axios to make an instance with, or an error that belongs to no request. */
export function axiosInUse(): AxiosStatic {
  inUse ??= required();
  return inUse;
}

/** The axios that a request came from, by its headers: an attached instance may be of the other one. */
export function axiosOf(config: Partial<Pick<InternalAxiosRequestConfig, 'headers'>> | undefined): AxiosStatic {
  const axios = axiosInUse();
  const headers: unknown = config?.headers;
  if (!(headers instanceof Object) || headers.constructor === Object || headers instanceof axios.AxiosHeaders)
    return axios;
  const other = required();
  return headers instanceof other.AxiosHeaders ? other : axios;
}

/** Loaded only where it is needed: in an ES module plugin nobody may need it. */
function required(): AxiosStatic {
  return (require('axios') as { default: AxiosStatic }).default;
}
