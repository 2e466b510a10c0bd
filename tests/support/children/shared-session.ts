import { createQelosAuth } from '../../../src';

/** Makes a call with what the environment says, and has nothing more to do; closes nothing. */
createQelosAuth()
  .http.get('/api/me')
  .then(({ status }) => console.log(status));
